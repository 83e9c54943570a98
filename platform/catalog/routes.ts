import { parseEntityRef, stringifyEntityRef } from "@backstage/catalog-model";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/faults.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { addDependency, removeDependency } from "./dependencies.ts";
import { parseDocuments } from "./descriptor.ts";
import { entityRoutes } from "./entity-routes.ts";
import { descriptorInvalid, queryInvalid, sourceDiffers } from "./faults.ts";
import {
  Dependency,
  GroupView,
  Lifecycle,
  OrganisationLoaded,
  Service,
  ServiceDetail,
  ServiceInput,
  ServiceSummary,
  Tier,
  type ServiceView,
} from "./model.ts";
import { createGroup, loadOrganisation, removeGroup } from "./organisation.ts";
import { register } from "./store.ts";
import { groups, service, serviceDetail, services, serviceView, serviceViews } from "./views.ts";

export interface CatalogParts {
  db: Db;
  clock: Clock;
  /** The address of a repository that the platform keeps, for services whose descriptor lies there. */
  repositoryUrl: (repository: string) => string;
  /** Answers with the portal's page where a browser goes to a service, or to the list of them. */
  portalPage?: (reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;
}

const ORGANISATION_BYTES = 8 * 1024 * 1024;
const YAML_TYPES = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"];

const tags = ["catalog"];
const Name = z.object({ name: z.string() });
const Registered = z.object({ status: z.literal("registered"), service: z.string() });
const DependencyInput = Dependency.partial({ source_service: true }).extend({
  dependency_type: Dependency.shape.dependency_type.default("runtime"),
  is_critical: z.boolean().default(false),
});

/** The routes of the catalog below /api: services (those of `serviceRoutes` too), teams, the organisation, and what Backstage's clients read. */
export const catalogRoutes =
  (parts: CatalogParts): FastifyPluginAsyncZod =>
  async (app) => {
    const { db, clock } = parts;
    app.addHook("onRequest", refuseNul);
    const { portalPage: _page, ...withoutPage } = parts;
    await app.register(serviceRoutes(withoutPage, "InCatalog"), { prefix: "/catalog" });
    await app.register(entityRoutes(parts));

    app.get(
      "/catalog/service-views",
      {
        schema: {
          operationId: "listServiceViews",
          tags,
          summary: "Services with owner, tier and lifecycle, a page at a time",
          querystring: z.object({
            team: z.string().optional(),
            tier: Tier.optional(),
            lifecycle: Lifecycle.optional(),
            language: z.string().max(63).optional(),
            text: z.string().max(200).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: z.string().optional(),
            offset: z.coerce.number().int().min(0).max(1_000_000).optional(),
          }),
          response: { 200: z.object({ items: z.array(ServiceSummary), next: z.string().nullable(), total: z.number().int() }) },
        },
      },
      async (request) => {
        await request.can("read");
        const page = await serviceViews(db, request.query);
        return { ...page, items: page.items.map(summaryOf) };
      },
    );

    app.get(
      "/catalog/service-views/:name",
      {
        schema: {
          operationId: "getServiceView",
          tags,
          summary: "A service with its facts, dependencies and relations",
          params: Name,
          response: { 200: ServiceDetail },
        },
      },
      async (request) => {
        await request.can("read");
        const detail = await serviceDetail(db, request.params.name);
        return { ...detail, service: summaryOf(detail.service) };
      },
    );

    app.get(
      "/catalog/groups",
      { schema: { operationId: "listGroups", tags, summary: "Teams with their members", response: { 200: z.array(GroupView) } } },
      async (request) => {
        await request.can("read");
        return groups(db);
      },
    );

    app.post(
      "/catalog/groups",
      {
        schema: {
          operationId: "createGroup",
          tags,
          summary: "Create a team; its members are named, or else the caller alone",
          body: z.object({
            name: z.string().min(1).max(63),
            title: z.string().max(200).optional(),
            description: z.string().max(2000).optional(),
            members: z.array(z.string()).max(1000).optional(),
          }),
          response: { 201: GroupView },
        },
      },
      async (request, reply) => {
        const { principal, body } = request;
        await request.can("organisation.change", { name: body.name });
        const members = (body.members?.length ? body.members : [principal.ref]).map((member) => {
          const ref = userRef(member);
          return { ref, displayName: ref === principal.ref && principal.kind === "person" ? principal.displayName : undefined };
        });
        const ref = await transact(db, (tx) => createGroup(tx, clock, principal.ref, { ...body, members }));
        const group = (await groups(db)).find((view) => view.ref === ref)!;
        return reply.code(201).send(group);
      },
    );

    app.delete(
      "/catalog/groups/:name",
      {
        schema: {
          operationId: "removeGroup",
          tags,
          summary: "Remove a team that owns nothing; its people stay",
          params: Name,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await request.can("organisation.change", { name: request.params.name });
        await transact(db, (tx) => removeGroup(tx, clock, request.principal.ref, request.params.name));
        return reply.code(204).send(null);
      },
    );

    await app.register(async (scope) => {
      scope.addContentTypeParser(YAML_TYPES, { parseAs: "string", bodyLimit: ORGANISATION_BYTES }, (_request, body, done) =>
        done(null, body),
      );
      (scope as typeof app).post(
        "/organisation",
        {
          bodyLimit: ORGANISATION_BYTES,
          schema: {
            operationId: "loadOrganisation",
            tags,
            summary: "Load groups, users and rotations: YAML, or JSON with documents; loading the same again changes nothing",
            body: z.union([z.string(), z.object({ documents: z.array(z.record(z.string(), z.unknown())) })]),
            response: { 200: OrganisationLoaded },
          },
        },
        async (request) => {
          await request.can("organisation.change");
          const { body } = request;
          const { documents, findings } =
            typeof body === "string" ? parseDocuments(body, "organisation") : { documents: body.documents, findings: [] };
          if (findings.length > 0) throw descriptorInvalid("The organisation", findings);
          return transact(db, (tx) => loadOrganisation(tx, clock, request.principal.ref, documents));
        },
      );
    });
  };

/** The /services routes. They stand at the root and below /api/catalog: `suffix` keeps the names of their operations apart. */
export const serviceRoutes =
  (parts: CatalogParts, suffix = ""): FastifyPluginAsyncZod =>
  async (app) => {
    const { db, clock, repositoryUrl, portalPage } = parts;
    app.addHook("onRequest", refuseNul);
    // The page is the portal's, the same for everybody; what it shows it asks for with a session of its own. So it comes before every other question.
    const pageForBrowsers = portalPage && {
      config: { open: true as const },
      onRequest: async (request: FastifyRequest, reply: FastifyReply) => {
        reply.header("vary", "accept");
        if (wantsPage(request)) return portalPage(reply);
      },
    };

    app.post(
      "/services",
      {
        schema: {
          operationId: `registerService${suffix}`,
          tags,
          summary: "Register a service by hand",
          body: ServiceInput,
          response: { 201: Registered },
        },
      },
      async (request, reply) => {
        const { body, principal } = request;
        await request.can("service.register", { owner: body.owner_team, name: body.name });
        await transact(db, (tx) => register(tx, clock, principal.ref, body));
        return reply.code(201).send({ status: "registered", service: body.name });
      },
    );

    app.get(
      "/services",
      {
        ...pageForBrowsers,
        schema: {
          operationId: `listServices${suffix}`,
          tags,
          summary: "Services by name; a Link header leads on where there are more",
          querystring: z.object({
            team: z.string().optional(),
            tier: Tier.optional(),
            lifecycle: Lifecycle.optional(),
            limit: z.coerce.number().int().min(1).max(5000).default(1000),
            cursor: z.string().optional(),
          }),
          response: { 200: z.array(Service) },
        },
      },
      async (request, reply) => {
        await request.can("read");
        const { items, next } = await services(db, request.query, repositoryUrl);
        if (next !== null) {
          const address = new URL(request.url, "http://here");
          address.searchParams.set("cursor", next);
          reply.header("link", `<${address.pathname}${address.search}>; rel="next"`);
        }
        return items;
      },
    );

    app.get(
      "/services/:name",
      {
        ...pageForBrowsers,
        schema: {
          operationId: `getService${suffix}`,
          tags,
          summary: "One service; a browser gets the portal's page",
          params: Name,
          response: { 200: Service },
        },
      },
      async (request) => {
        await request.can("read");
        return service(db, request.params.name, repositoryUrl);
      },
    );

    app.post(
      "/services/:name/dependencies",
      {
        schema: {
          operationId: `addDependency${suffix}`,
          tags,
          summary: "Say that a service depends on another",
          params: Name,
          body: DependencyInput,
          response: { 201: Dependency },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        const { owner } = await serviceView(db, name);
        await request.can("service.change", { owner, name });
        const { source_service = name } = request.body;
        if (source_service !== name) throw sourceDiffers(source_service, name);
        const dependency = { ...request.body, source_service };
        await transact(db, (tx) => addDependency(tx, clock, request.principal.ref, dependency));
        return reply.code(201).send(dependency);
      },
    );

    app.delete(
      "/services/:name/dependencies/:target",
      {
        schema: {
          operationId: `removeDependency${suffix}`,
          tags,
          summary: "Say that it no longer does",
          params: Name.extend({ target: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { name, target } = request.params;
        const { owner } = await serviceView(db, name);
        await request.can("service.change", { owner, name });
        await transact(db, (tx) => removeDependency(tx, clock, request.principal.ref, name, target));
        return reply.code(204).send(null);
      },
    );
  };

/** No name and no value that the catalog keeps holds a NUL, and PostgreSQL refuses to look for one. */
async function refuseNul(request: FastifyRequest): Promise<void> {
  if (request.url.includes("%00")) throw queryInvalid("the address holds a NUL");
}

const summaryOf = (view: ServiceView): ServiceSummary => ({ ...view, repository: view.repository ?? null });

/** A browser that goes to the address names text/html first; programs that take anything get JSON. */
const wantsPage = (request: FastifyRequest): boolean =>
  /(^|,)\s*text\/html\b/.test(request.headers.accept ?? "") && !/application\/json/.test(request.headers.accept ?? "");

function userRef(written: string): string {
  try {
    return stringifyEntityRef(parseEntityRef(written, { defaultKind: "user", defaultNamespace: "default" }));
  } catch (error) {
    throw descriptorInvalid("The team", [{ where: `member ${written}`, message: messageOf(error) }]);
  }
}

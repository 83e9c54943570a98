import { readFile } from "node:fs/promises";
import { CatalogClient, CATALOG_FILTER_EXISTS } from "@backstage/catalog-client";
import Fastify, { type InjectOptions } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterAll, expect, test } from "vitest";
import { identityAccess } from "../identity/access-hook.ts";
import { ensureAdministrator, ensurePerson, makeToken } from "../identity/store.ts";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { catalogRoutes, serviceRoutes } from "./routes.ts";
import { ingest } from "./store.ts";
import { directory } from "./views.ts";

const BOOTSTRAP = "a-bootstrap-token-for-tests-only";
const EXAMPLE = new URL("../../library/example-organisation/organisation.yaml", import.meta.url);
const aService = (overrides: object = {}) => ({
  name: "orders",
  description: "Takes orders",
  owner_team: "team-a",
  lifecycle: "production",
  repository_url: "https://git.test/orders",
  ...overrides,
});

async function platform() {
  const { db } = await testDatabase();
  const clock = testClock();
  await ensureAdministrator(db, clock);
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  await app.register(identityAccess({ db, clock, directory: directory(db), adminToken: BOOTSTRAP }));
  const parts = {
    db,
    clock,
    repositoryUrl: (repository: string) => `http://cairn.test/git/${repository}.git`,
    portalPage: (reply: { type(t: string): { send(body: string): never } }) => reply.type("text/html").send("<portal>"),
  };
  await app.register(serviceRoutes(parts as never));
  await app.register(catalogRoutes(parts as never), { prefix: "/api" });
  afterAll(() => app.close());
  const as =
    (token: string) =>
    (method: string, url: string, payload?: object | string, headers: Record<string, string> = {}) =>
      app.inject({ method, url, payload, headers: { authorization: `Bearer ${token}`, ...headers } } as InjectOptions);
  const tokenOf = async (person: string, scopes: ("read" | "write")[]) => {
    await transact(db, (tx) => ensurePerson(tx, clock, "system:test", { ref: person, displayName: person, administrator: false }));
    return (await makeToken(db, clock, "system:test", { person, name: "test", scopes, expiresInDays: 1 })).token;
  };
  return { db, clock, app, as, call: as(BOOTSTRAP), tokenOf };
}

test("every route of the catalog refuses a stranger, and a browser gets the portal's page all the same", async () => {
  const { app } = await platform();
  const calls: [string, string][] = [
    ["POST", "/services"],
    ["GET", "/services"],
    ["GET", "/services/orders"],
    ["POST", "/services/orders/dependencies"],
    ["DELETE", "/services/orders/dependencies/carts"],
    ["GET", "/api/catalog/services"],
    ["GET", "/api/catalog/services/orders"],
    ["GET", "/api/catalog/service-views"],
    ["GET", "/api/catalog/service-views/orders"],
    ["GET", "/api/catalog/groups"],
    ["POST", "/api/catalog/groups"],
    ["DELETE", "/api/catalog/groups/team-a"],
    ["POST", "/api/organisation"],
    ["GET", "/api/catalog/entities"],
    ["GET", "/api/catalog/entities/by-query"],
    ["POST", "/api/catalog/entities/by-query"],
    ["POST", "/api/catalog/entities/by-refs"],
    ["GET", "/api/catalog/entities/by-name/component/default/orders"],
    ["GET", "/api/catalog/entities/by-uid/x"],
    ["GET", "/api/catalog/entity-facets?facet=kind"],
  ];
  for (const [method, url] of calls) expect([url, (await app.inject({ method, url } as InjectOptions)).statusCode]).toEqual([url, 401]);
  const page = await app.inject({
    method: "GET",
    url: "/services/orders",
    headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" },
  });
  expect([page.statusCode, page.body, page.headers.vary]).toEqual([200, "<portal>", "accept"]);
  expect((await app.inject({ method: "GET", url: "/services?lifecycle=&tier=none", headers: { accept: "text/html" } })).body).toBe(
    "<portal>",
  );
  expect((await app.inject({ method: "GET", url: "/api/catalog/services/orders", headers: { accept: "text/html" } })).statusCode).toBe(401);
  expect((await app.inject({ method: "GET", url: "/services/orders", headers: { accept: "*/*" } })).statusCode).toBe(401);
});

test("POST /services refuses a taken name, names that Backstage or Kubernetes refuse, and says why; of ten at once one wins", async () => {
  const { db, call } = await platform();
  const both = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      call("POST", n % 2 ? "/services" : "/api/catalog/services", aService({ owner_team: `team-${n}` })),
    ),
  );
  expect(both.map((answer) => answer.statusCode).sort()).toEqual([201, ...Array<number>(9).fill(409)]);
  expect(both.find((answer) => answer.statusCode === 201)!.json()).toEqual({ status: "registered", service: "orders" });
  expect(both.find((answer) => answer.statusCode === 409)!.json()).toMatchObject({
    detail: "Service orders already exists",
    code: "catalog.service_name_taken",
    next: expect.stringMatching(/It belongs to group:default\/team-\d/),
  });
  expect((await events(db)).filter((event) => event.type === "catalog.service_registered")).toHaveLength(1);
  for (const [name, why] of [
    ["orders-", "does not end in a hyphen"],
    ["o".repeat(64), "63"],
    ["Orders", "lower-case"],
    ["9orders", "begins with a letter"],
    ["or_ders", "letters, digits and hyphens"],
    ["", "begins with a letter"],
  ])
    expect((await call("POST", "/services", aService({ name }))).json()).toMatchObject({
      status: 422,
      detail: expect.stringContaining(why!),
    });
  expect((await call("POST", "/services", aService({ name: "x", description: "\0" }))).statusCode).toBe(422);
  expect((await call("POST", "/services", aService({ name: "x", owner_team: "\ud800" }))).statusCode).toBe(422);
  expect((await call("POST", "/services", aService({ name: "x", lifecycle: "old" }))).statusCode).toBe(422);
  expect((await call("POST", "/services", aService({ name: "a".repeat(63) }))).statusCode).toBe(201);
});

test("GET /services gives services as registered, filters by team and lifecycle, pages, and says what is not there", async () => {
  const { call } = await platform();
  expect((await call("GET", "/services/orders")).json()).toMatchObject({ status: 404, detail: "Service not found" });
  await call(
    "POST",
    "/services",
    aService({ documentation_url: "https://docs.test/orders", oncall_rotation: "shop-primary", created_at: "2001-01-01T00:00:00Z" }),
  );
  await call("POST", "/services", aService({ name: "carts", owner_team: "team-b", lifecycle: "experimental" }));
  expect((await call("GET", "/services/orders")).json()).toEqual({
    ...aService(),
    documentation_url: "https://docs.test/orders",
    oncall_rotation: "shop-primary",
    created_at: "2026-03-01T12:00:00.000Z",
  });
  const names = async (query: string) => (await call("GET", `/services${query}`)).json<{ name: string }[]>().map(({ name }) => name);
  expect(await names("")).toEqual(["carts", "orders"]);
  expect(await names("?team=team-b")).toEqual(["carts"]);
  expect(await names("?team=group:default/team-a&lifecycle=production")).toEqual(["orders"]);
  expect(await names("?team=team-a&lifecycle=deprecated")).toEqual([]);
  expect((await call("GET", "/services?lifecycle=old")).statusCode).toBe(422);
  for (const url of ["/services?team=%00", "/services/%00", "/api/catalog/service-views?text=%00", "/api/catalog/entities?filter=kind=%00"])
    expect([url, (await call("GET", url)).statusCode]).toEqual([url, 422]);
  const first = await call("GET", "/services?limit=1");
  expect(first.headers.link).toBe('</services?limit=1&cursor=carts>; rel="next"');
  expect(await names("?limit=1&cursor=carts")).toEqual(["orders"]);
});

test("dependencies: refused for unknown ends, itself, twice, another source, another team's service; added and removed", async () => {
  const { db, call, as, tokenOf } = await platform();
  const dependency = (target: string, more: object = {}) => ({
    target_service: target,
    dependency_type: "runtime",
    is_critical: true,
    ...more,
  });
  const add = (source: string, body: object) => call("POST", `/services/${source}/dependencies`, body);
  expect((await add("orders", dependency("carts"))).json()).toMatchObject({ status: 404, detail: "Service not found" });
  await call("POST", "/services", aService());
  expect((await add("orders", dependency("carts"))).json()).toMatchObject({ status: 404, detail: "Service not found" });
  await call("POST", "/services", aService({ name: "carts" }));
  expect((await add("orders", dependency("orders"))).json()).toMatchObject({ status: 422, code: "catalog.depends_on_itself" });
  expect((await add("orders", dependency("carts", { source_service: "carts" }))).json()).toMatchObject({ code: "catalog.source_differs" });
  expect((await add("orders", dependency("carts", { dependency_type: "vague" }))).statusCode).toBe(422);
  const outsider = as(await tokenOf("user:default/outsider", ["read", "write"]));
  expect((await outsider("POST", "/services/orders/dependencies", dependency("carts"))).json()).toMatchObject({
    status: 403,
    rule: "denied-by-default",
  });
  const added = await add("orders", dependency("carts", { source_service: "orders", dependency_type: "data" }));
  expect([added.statusCode, added.json()]).toEqual([
    201,
    { source_service: "orders", target_service: "carts", dependency_type: "data", is_critical: true },
  ]);
  expect((await add("orders", dependency("carts"))).json()).toMatchObject({ status: 409, code: "catalog.dependency_exists" });
  expect((await call("GET", "/api/catalog/service-views/carts")).json()).toMatchObject({
    dependencies: [],
    dependents: [{ source_service: "orders", declared: false }],
  });
  const remove = () => call("DELETE", "/services/orders/dependencies/carts");
  expect((await remove()).statusCode).toBe(204);
  expect((await remove()).json()).toMatchObject({ status: 404, code: "catalog.dependency_not_found" });
  expect((await call("DELETE", "/services/nothing/dependencies/carts")).json()).toMatchObject({ detail: "Service not found" });
  expect((await events(db)).map((event) => event.type).slice(-3)).toEqual([
    "identity.access_refused",
    "catalog.dependency_added",
    "catalog.dependency_removed",
  ]);
});

test("POST /organisation refuses what is no group or user, all or nothing; loads YAML and JSON, and twice changes nothing", async () => {
  const { db, call, as, tokenOf } = await platform();
  const yaml = await readFile(EXAMPLE, "utf8");
  const load = (text: string, type = "application/yaml") => call("POST", "/api/organisation", text, { "content-type": type });
  const person = as(await tokenOf("user:default/example-ada", ["read", "write"]));
  expect((await person("POST", "/api/organisation", yaml, { "content-type": "application/yaml" })).statusCode).toBe(403);
  expect((await load("kind: [")).json()).toMatchObject({
    code: "catalog.descriptor_invalid",
    detail: expect.stringContaining("organisation:1"),
  });
  expect((await load("")).statusCode).toBe(422);
  expect(
    (
      await load(
        `${yaml}\n---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: x}\nspec: {type: service, owner: x, lifecycle: production}\n`,
      )
    ).json(),
  ).toMatchObject({
    code: "catalog.descriptor_invalid",
    detail: expect.stringContaining("only group, user, rotation belong here"),
  });
  expect((await call("GET", "/api/catalog/groups")).json()).toEqual([]);
  const first = await load(yaml);
  expect(first.json()).toMatchObject({ created: { length: 8 }, updated: [], unchanged: [] });
  const recorded = (await events(db)).length;
  expect((await load(yaml, "text/plain")).json()).toMatchObject({ created: [], updated: [], unchanged: { length: 8 } });
  expect(await events(db)).toHaveLength(recorded);
  const changed = {
    apiVersion: "backstage.io/v1alpha1",
    kind: "User",
    metadata: { name: "example-ada" },
    spec: { profile: { displayName: "Ada" }, memberOf: ["example-shop", "nowhere"] },
  };
  expect((await call("POST", "/api/organisation", { documents: [changed] })).json()).toMatchObject({
    updated: ["user:default/example-ada"],
  });
  expect((await call("GET", "/api/catalog/groups")).json()).toMatchObject([
    {
      name: "example-payments",
      title: "Payments (example)",
      members: [{ ref: "user:default/example-barbara", displayName: "Barbara (example)" }, { ref: "user:default/example-edsger" }],
    },
    { name: "example-shop", members: [{ displayName: "Ada" }, { displayName: "Grace (example)" }] },
  ]);
  expect(await directory(db).groupsOf("user:default/example-ada")).toEqual(["group:default/example-shop"]);
  await call("POST", "/services", aService({ owner_team: "example-shop" }));
  await call("POST", "/services", aService({ name: "carts" }));
  expect((await person("POST", "/services/orders/dependencies", { target_service: "carts" })).statusCode).toBe(201);
});

test("POST /catalog/groups refuses a taken name and members that are none; makes a team of the caller where nobody is named", async () => {
  const { db, call } = await platform();
  expect((await call("POST", "/api/catalog/groups", { name: "My Team!" })).json()).toMatchObject({
    status: 422,
    code: "catalog.team_name_refused",
    next: expect.stringContaining("such as my-team;"),
  });
  expect((await call("POST", "/api/catalog/groups", { name: "team-a", members: ["group:default/x"] })).json()).toMatchObject({
    code: "catalog.descriptor_invalid",
  });
  const made = await call("POST", "/api/catalog/groups", { name: "team-a", title: "Team A", members: [] });
  expect([made.statusCode, made.json()]).toMatchObject([
    201,
    { ref: "group:default/team-a", members: [{ ref: "user:default/administrator" }] },
  ]);
  expect((await call("POST", "/api/catalog/groups", { name: "team-a", members: ["ada"] })).json()).toMatchObject({
    status: 409,
    code: "catalog.group_exists",
  });
  expect(await directory(db).groupsOf("user:default/administrator")).toEqual(["group:default/team-a"]);
  expect(await directory(db).person!("user:default/ada")).toBeUndefined();
});

test("DELETE /catalog/groups/{name} removes a team that owns nothing, and names what one owns", async () => {
  const { call } = await platform();
  await call("POST", "/api/catalog/groups", { name: "team-a" });
  await call("POST", "/services", aService({ name: "orders", owner_team: "team-a" }));
  expect((await call("DELETE", "/api/catalog/groups/team-a")).json()).toMatchObject({
    status: 409,
    code: "catalog.group_owns",
    owns: ["component:default/orders"],
  });
  await call("POST", "/api/catalog/groups", { name: "team-b" });
  expect((await call("DELETE", "/api/catalog/groups/team-b")).statusCode).toBe(204);
  expect((await call("DELETE", "/api/catalog/groups/team-b")).json()).toMatchObject({ status: 404, code: "catalog.entity_not_found" });
  expect((await call("GET", "/api/catalog/groups")).json()).toMatchObject([{ name: "team-a" }]);
});

test("GET /catalog/service-views filters, searches by beginnings of words, counts, pages and says whose owner is unknown", async () => {
  const { call } = await platform();
  await call("POST", "/api/catalog/groups", { name: "team-a" });
  for (const [name, owner_team, description] of [
    ["orders-api", "team-a", "Takes orders"],
    ["carts", "team-b", "Holds what will be ordered"],
    ["mail", "team-a", "Sends Grüße"],
  ])
    await call("POST", "/services", aService({ name, owner_team, description }));
  const list = async (query: string) => {
    const page = (await call("GET", `/api/catalog/service-views${query}`)).json<{
      items: { name: string }[];
      total: number;
      next: string | null;
    }>();
    return [page.items.map(({ name }) => name), page.total, page.next];
  };
  expect(await list("?text=ord")).toEqual([["carts", "orders-api"], 2, null]);
  expect(await list("?text=orders-a")).toEqual([["orders-api"], 1, null]);
  expect(await list("?text=gr%C3%BC")).toEqual([["mail"], 1, null]);
  expect(await list("?text=%27%20%26%20%7C%20%21%20%3A%2A%20%28")).toEqual([["carts", "mail", "orders-api"], 3, null]);
  expect(await list("?team=team-a&limit=1")).toEqual([["mail"], 2, "mail"]);
  expect(await list("?team=team-a&limit=1&cursor=mail")).toEqual([["orders-api"], 2, null]);
  expect(await list("?tier=tier-1")).toEqual([[], 0, null]);
  expect((await call("GET", "/api/catalog/service-views/carts")).json()).toMatchObject({
    service: { owner: "team-b", ownerExists: false, tier: "tier-3", source: "registered", repository: null },
  });
  expect((await call("GET", "/api/catalog/service-views/mail")).json()).toMatchObject({
    service: { ownerExists: true },
    entity: { relations: [{ type: "ownedBy", targetRef: "group:default/team-a" }] },
  });
  expect((await call("GET", "/api/catalog/service-views/nothing")).json()).toMatchObject({ detail: "Service not found" });
});

const component = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: "backstage.io/v1alpha1",
  kind: "Component",
  metadata: { name, ...metadata },
  spec: { type: "service", owner: "team-a", lifecycle: "production", ...spec },
});

test("POST /catalog/validate-entity names what is wrong with an entity, to Backstage's client too", async () => {
  const { app } = await platform();
  const client = new CatalogClient({
    discoveryApi: { getBaseUrl: async (id) => `http://cairn.test/api/${id}` },
    fetchApi: {
      fetch: async (url, options) => {
        const answer = await app.inject({
          method: "POST",
          url: String(url).replace("http://cairn.test", ""),
          payload: String(options?.body),
          headers: options?.headers as Record<string, string>,
        });
        return new Response(answer.body, { status: answer.statusCode });
      },
    },
  });
  const options = { token: BOOTSTRAP };
  expect(await client.validateEntity(component("orders-") as never, "url:http://x", options)).toMatchObject({
    valid: false,
    errors: [{ message: expect.stringContaining("metadata.name") }],
  });
  expect(await client.validateEntity(component("orders") as never, "url:http://x", options)).toEqual({ valid: true });
});

test("Backstage's own client reads entities, pages, references, names and facets", async () => {
  const { db, clock, app } = await platform();
  await transact(db, (tx) =>
    ingest(tx, clock, "system:test", {
      repository: "shop",
      commit: "c1",
      documents: [
        component(
          "orders",
          { dependsOn: ["component:carts"], providesApis: ["orders-api"] },
          { tags: ["java", "web"], annotations: { "example.com/x": "1" }, title: "The Orders" },
        ),
        component("carts", { lifecycle: "experimental" }, { tags: ["go"] }),
        component("mail", { owner: "team-b" }),
        {
          apiVersion: "backstage.io/v1alpha1",
          kind: "API",
          metadata: { name: "orders-api" },
          spec: { type: "openapi", owner: "team-a", lifecycle: "production", definition: "openapi: 3.1.0" },
        },
      ],
    }),
  );
  const address = await app.listen({ host: "127.0.0.1", port: 0 });
  const client = new CatalogClient({ discoveryApi: { getBaseUrl: async (id) => `${address}/api/${id}` } });
  const options = { token: BOOTSTRAP };
  const named = (entities: ({ metadata: { name: string } } | undefined)[]) => entities.map((entity) => entity?.metadata.name);
  const find = async (filter: object) => named((await client.getEntities({ filter: filter as never }, options)).items);

  expect(await find({ kind: "component" })).toEqual(["carts", "mail", "orders"]);
  expect(await find({ kind: "Component", "spec.lifecycle": ["Experimental", "deprecated"] })).toEqual(["carts"]);
  expect(await find([{ kind: "api" }, { "metadata.tags": "go" }])).toEqual(["orders-api", "carts"]);
  expect(await find({ "metadata.tags.java": "true" })).toEqual(["orders"]);
  expect(await find({ "metadata.annotations.example.com/x": CATALOG_FILTER_EXISTS })).toEqual(["orders"]);
  expect(await find({ "relations.ownedBy": "group:default/team-b" })).toEqual(["mail"]);
  expect(await find({ "relations.dependencyOf": "component:default/orders" })).toEqual(["carts"]);
  expect(await find({ kind: "group" })).toEqual([]);

  const picked = await client.getEntities({ filter: { kind: "api" }, fields: ["metadata.name", "kind", "spec.type"] }, options);
  expect(picked.items).toEqual([{ kind: "API", metadata: { name: "orders-api" }, spec: { type: "openapi" } }]);
  const ordered = await client.getEntities(
    { filter: { kind: "component" }, order: { field: "metadata.title", order: "desc" }, limit: 2 },
    options,
  );
  expect(named(ordered.items)).toEqual(["orders", "carts"]);

  const orders = await client.getEntityByRef("component:default/orders", options);
  expect(orders).toMatchObject({
    metadata: { uid: expect.any(String), etag: expect.any(String), namespace: "default" },
    relations: [
      { type: "dependsOn", targetRef: "component:default/carts" },
      { type: "ownedBy", targetRef: "group:default/team-a" },
      { type: "providesApi", targetRef: "api:default/orders-api" },
    ],
  });
  expect(await client.getEntityByRef("component:default/nothing", options)).toBeUndefined();
  expect((await client.getEntityAncestors({ entityRef: "component:default/orders" }, options)).rootEntityRef).toBe(
    "component:default/orders",
  );
  expect(
    named(
      (
        await client.getEntitiesByRefs(
          { entityRefs: ["component:default/mail", "component:default/nothing", "Component:default/Orders"] },
          options,
        )
      ).items,
    ),
  ).toEqual(["mail", undefined, "orders"]);
  const byQuery = await client.getEntitiesByRefs(
    { entityRefs: ["component:default/mail", "component:default/orders"], query: { "spec.owner": "team-b" } },
    options,
  );
  expect(named(byQuery.items)).toEqual(["mail", undefined]);

  const first = await client.queryEntities(
    { filter: { kind: "component" }, limit: 2, orderFields: { field: "metadata.name", order: "desc" } },
    options,
  );
  expect([named(first.items), first.totalItems, first.pageInfo.prevCursor]).toEqual([["orders", "mail"], 3, undefined]);
  const second = await client.queryEntities({ cursor: first.pageInfo.nextCursor! }, options);
  expect([named(second.items), second.totalItems, second.pageInfo.nextCursor]).toEqual([["carts"], 3, undefined]);
  expect(named((await client.queryEntities({ cursor: second.pageInfo.prevCursor! }, options)).items)).toEqual(["orders", "mail"]);
  const predicate = {
    $all: [
      { kind: "component" },
      { $not: { "spec.lifecycle": "experimental" } },
      { $any: [{ "metadata.tags": { $contains: "web" } }, { "spec.owner": { $hasPrefix: "team-b" } }] },
    ],
  };
  const some = await client.queryEntities({ query: predicate as never, limit: 1 }, options);
  expect([named(some.items), some.totalItems]).toEqual([["mail"], 2]);
  expect(named((await client.queryEntities({ cursor: some.pageInfo.nextCursor! }, options)).items)).toEqual(["orders"]);
  expect(
    named(
      (await client.queryEntities({ query: { relations: { $contains: { type: "ownedBy", targetRef: "group:default/team-b" } } } }, options))
        .items,
    ),
  ).toEqual(["mail"]);
  expect(named((await client.queryEntities({ fullTextFilter: { term: "the ord" } }, options)).items)).toEqual(["orders"]);
  await expect(client.queryEntities({ query: { "spec.owner": { $regex: "x" } } as never }, options)).rejects.toThrow("422");
  await expect(client.queryEntities({ cursor: "bm90IGEgY3Vyc29y" }, options)).rejects.toThrow("422");

  const { facets } = await client.getEntityFacets(
    { facets: ["kind", "metadata.tags", "relations.ownedBy", "metadata.annotations.example.com/x"], filter: { "spec.owner": "team-a" } },
    options,
  );
  expect(facets).toEqual({
    kind: [
      { value: "Component", count: 2 },
      { value: "API", count: 1 },
    ],
    "metadata.tags": [
      { value: "go", count: 1 },
      { value: "java", count: 1 },
      { value: "web", count: 1 },
    ],
    "relations.ownedBy": [{ value: "group:default/team-a", count: 3 }],
    "metadata.annotations.example.com/x": [{ value: "1", count: 1 }],
  });
  expect((await client.getEntityFacets({ facets: ["spec.type"], query: { kind: "component" } }, options)).facets).toEqual({
    "spec.type": [{ value: "service", count: 3 }],
  });
});

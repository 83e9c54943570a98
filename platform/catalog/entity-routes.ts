import { stringifyEntityRef } from "@backstage/catalog-model";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Db } from "../kernel/sql.ts";
import { checkDocuments, ORGANISATION_KINDS, REPOSITORY_KINDS } from "./descriptor.ts";
import { countEntities, entitiesByRefs, entityByUid, facetsOf, queryEntities, type EntityQuery, type Order } from "./entities.ts";
import { descriptorInvalid, entityNotFound, queryInvalid } from "./faults.ts";
import { picked } from "./fields.ts";
import { Entity } from "./model.ts";
import { predicateOfFilters, predicateOfQuery, type Predicate } from "./predicates.ts";

const several = z.union([z.string(), z.array(z.string())]).optional();
/** An entity, or of it the fields that were asked for. */
const EntityFields = z.looseObject({});
const Limit = z.coerce.number().int().min(0).max(10_000);
const Offset = z.coerce.number().int().min(0);
const OrderBy = z.object({ field: z.string(), order: z.enum(["asc", "desc"]) });
const Page = z.object({
  items: z.array(EntityFields),
  totalItems: z.number().int().optional(),
  pageInfo: z.object({ nextCursor: z.string().optional(), prevCursor: z.string().optional() }),
});
const Facets = z.object({ facets: z.record(z.string(), z.array(z.object({ value: z.string(), count: z.number().int() }))) });
/** A problem, with what Backstage's clients read of one. */
const NotTaken = z.looseObject({ errors: z.array(z.looseObject({ message: z.string() })).optional() });
const TotalItems = z.enum(["include", "exclude"]).default("include");

const LIMIT = 200;
/** GET /entities without a limit gives all; more than this only in pages. */
const MOST = 10_000;

/** Reading the catalog as Backstage's clients do. Source: the OpenAPI document of Backstage's catalog. */
export const entityRoutes =
  ({ db }: { db: Db }): FastifyPluginAsyncZod =>
  async (app) => {
    const tags = ["catalog"];

    app.get(
      "/catalog/entities",
      {
        schema: {
          operationId: "listEntities",
          tags,
          summary: "Entities that a filter lets through",
          querystring: z.object({
            filter: several,
            fields: several,
            order: several,
            limit: Limit.optional(),
            offset: Offset.optional(),
            after: z.string().optional(),
          }),
          response: { 200: z.array(EntityFields) },
        },
      },
      async (request, reply) => {
        await request.can("read");
        const { filter, fields, order, limit, offset, after } = request.query;
        const query: EntityQuery = after
          ? readCursor(after).query
          : { predicate: predicateOfFilters(list(filter)), order: list(order).map(orderOf), limit: limit ?? MOST, offset };
        const found = await queryEntities(db, { ...query, limit: limit ?? query.limit });
        if (found.after) {
          const next = new URLSearchParams({ limit: String(limit ?? query.limit), after: cursorOf(query, found.after, false) });
          for (const field of list(fields)) next.append("fields", field);
          reply.header("link", `<${request.url.split("?")[0]}?${next}>; rel="next"`);
        }
        return found.entities.map((entity) => picked(entity, commas(fields)));
      },
    );

    const page = async (query: EntityQuery, fields: readonly string[], total: number | undefined, post: unknown) => {
      const found = await queryEntities(db, query);
      const cursor = (at: string[], back: boolean) => cursorOf(query, at, back, total, post);
      return {
        items: found.entities.map((entity) => picked(entity, fields)),
        ...(total !== undefined && { totalItems: total }),
        pageInfo: {
          ...(found.after && { nextCursor: cursor(found.after, false) }),
          ...(found.before && { prevCursor: cursor(found.before, true) }),
        },
      };
    };

    app.get(
      "/catalog/entities/by-query",
      {
        schema: {
          operationId: "queryEntities",
          tags,
          summary: "A page of the entities that a filter lets through, in an order, with cursors",
          querystring: z.object({
            filter: several,
            fields: several,
            orderField: several,
            limit: Limit.optional(),
            offset: Offset.optional(),
            cursor: z.string().optional(),
            totalItems: TotalItems,
            fullTextFilterTerm: z.string().optional(),
            fullTextFilterFields: several,
          }),
          response: { 200: Page },
        },
      },
      async (request) => {
        await request.can("read");
        const { filter, fields, orderField, limit, offset, cursor, totalItems, fullTextFilterTerm } = request.query;
        if (cursor !== undefined) {
          const { query, total } = readCursor(cursor);
          return page({ ...query, limit: limit ?? query.limit }, commas(fields), total, undefined);
        }
        const query = {
          predicate: predicateOfFilters(list(filter)),
          text: fullTextFilterTerm,
          order: list(orderField).map(orderFieldOf),
          limit: limit ?? LIMIT,
          offset,
        };
        return page(query, commas(fields), totalItems === "include" ? await countEntities(db, query) : undefined, undefined);
      },
    );

    app.post(
      "/catalog/entities/by-query",
      {
        schema: {
          operationId: "queryEntitiesByPredicate",
          tags,
          summary: "A page of the entities that a predicate lets through",
          body: z.object({
            query: z.unknown().optional(),
            cursor: z.string().optional(),
            limit: Limit.optional(),
            offset: Offset.optional(),
            orderBy: z.union([OrderBy, z.array(OrderBy)]).optional(),
            fullTextFilter: z.object({ term: z.string().optional(), fields: z.array(z.string()).optional() }).optional(),
            fields: z.array(z.string()).default([]),
            totalItems: TotalItems,
          }),
          response: { 200: Page },
        },
      },
      async (request) => {
        await request.can("read");
        const { body } = request;
        if (body.cursor !== undefined) {
          const { query, total } = readCursor(body.cursor);
          return page({ ...query, limit: body.limit ?? query.limit }, body.fields, total, true);
        }
        const predicate = body.query === undefined ? undefined : predicateOfQuery(body.query);
        const query = {
          predicate,
          text: body.fullTextFilter?.term,
          order: [body.orderBy ?? []].flat(),
          limit: body.limit ?? LIMIT,
          offset: body.offset,
        };
        return page(query, body.fields, body.totalItems === "include" ? await countEntities(db, query) : undefined, true);
      },
    );

    app.post(
      "/catalog/entities/by-refs",
      {
        schema: {
          operationId: "getEntitiesByRefs",
          tags,
          summary: "Entities by their references; null in the place of one that is missing",
          querystring: z.object({ filter: several }),
          body: z.object({
            entityRefs: z.array(z.string()).max(1000),
            fields: z.array(z.string()).default([]),
            query: z.unknown().optional(),
          }),
          response: { 200: z.object({ items: z.array(EntityFields.nullable()) }) },
        },
      },
      async (request) => {
        await request.can("read");
        const { entityRefs, fields, query } = request.body;
        const found = await entitiesByRefs(
          db,
          entityRefs,
          query === undefined ? predicateOfFilters(list(request.query.filter)) : predicateOfQuery(query),
        );
        return { items: found.map((entity) => (entity ? picked(entity, fields) : null)) };
      },
    );

    const ByName = z.object({ kind: z.string(), namespace: z.string(), name: z.string() });

    app.get(
      "/catalog/entities/by-name/:kind/:namespace/:name",
      { schema: { operationId: "getEntityByName", tags, summary: "One entity", params: ByName, response: { 200: Entity } } },
      async (request) => {
        await request.can("read");
        return oneByName(request.params);
      },
    );

    app.get(
      "/catalog/entities/by-name/:kind/:namespace/:name/ancestry",
      {
        schema: {
          operationId: "getEntityAncestry",
          tags,
          summary: "Where an entity comes from",
          params: ByName,
          response: {
            200: z.object({
              rootEntityRef: z.string(),
              items: z.array(z.object({ entity: Entity, parentEntityRefs: z.array(z.string()) })),
            }),
          },
        },
      },
      async (request) => {
        await request.can("read");
        // Every entity is declared where it stands: none is emitted by another.
        return {
          rootEntityRef: stringifyEntityRef(request.params),
          items: [{ entity: await oneByName(request.params), parentEntityRefs: [] }],
        };
      },
    );

    const oneByName = async (name: { kind: string; namespace: string; name: string }): Promise<Entity> => {
      const ref = stringifyEntityRef(name);
      const [entity] = await entitiesByRefs(db, [ref]);
      if (!entity) throw entityNotFound(ref);
      return entity;
    };

    app.get(
      "/catalog/entities/by-uid/:uid",
      {
        schema: {
          operationId: "getEntityByUid",
          tags,
          summary: "One entity by its uid",
          params: z.object({ uid: z.string() }),
          response: { 200: Entity },
        },
      },
      async (request) => {
        await request.can("read");
        return entityByUid(db, request.params.uid);
      },
    );

    app.post(
      "/catalog/validate-entity",
      {
        schema: {
          operationId: "validateEntity",
          tags,
          summary: "Whether an entity is one that the catalog takes; 400 names what is wrong",
          body: z.object({ entity: z.unknown(), location: z.string().optional() }),
          response: { 200: z.object({}), 400: NotTaken },
        },
      },
      async (request, reply) => {
        await request.can("read");
        const { findings } = await checkDocuments([request.body.entity], [...REPOSITORY_KINDS, ...ORGANISATION_KINDS]);
        if (findings.length === 0) return reply.code(200).send({});
        const { message: detail, next, code } = descriptorInvalid("The entity", findings);
        return reply
          .code(400)
          .type("application/problem+json")
          .send({
            type: `https://cairn.dev/problems/${code}`,
            title: code,
            status: 400,
            detail,
            code,
            next,
            errors: findings.map(({ where, message }) => ({ name: "InputError", message: `${where}: ${message}` })),
          });
      },
    );

    app.get(
      "/catalog/entity-facets",
      {
        schema: {
          operationId: "getEntityFacets",
          tags,
          summary: "How many entities have which values",
          querystring: z.object({ facet: z.union([z.string(), z.array(z.string())]), filter: several }),
          response: { 200: Facets },
        },
      },
      async (request) => {
        await request.can("read");
        return { facets: await facetsOf(db, list(request.query.facet), predicateOfFilters(list(request.query.filter))) };
      },
    );

    app.post(
      "/catalog/entity-facets",
      {
        schema: {
          operationId: "queryEntityFacets",
          tags,
          summary: "How many of the entities that a predicate lets through have which values",
          body: z.object({ facets: z.array(z.string()).min(1), query: z.unknown().optional() }),
          response: { 200: Facets },
        },
      },
      async (request) => {
        await request.can("read");
        return {
          facets: await facetsOf(
            db,
            request.body.facets,
            request.body.query === undefined ? undefined : predicateOfQuery(request.body.query),
          ),
        };
      },
    );
  };

const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : [value].flat());
const commas = (value: string | string[] | undefined): string[] =>
  list(value).flatMap((text) =>
    text
      .split(",")
      .map((field) => field.trim())
      .filter(Boolean),
  );

/** `asc:metadata.name`. */
function orderOf(text: string): Order {
  const [, order, field] = /^(asc|desc):(.+)$/.exec(text) ?? [];
  if (!order || !field) throw queryInvalid(`order ${text}: write asc:FIELD or desc:FIELD`);
  return { field, order: order as Order["order"] };
}

/** `metadata.name,desc`; without a direction it is asc. */
function orderFieldOf(text: string): Order {
  const [field = "", order = "asc"] = text.split(",");
  if (order !== "asc" && order !== "desc") throw queryInvalid(`orderField ${text}: write FIELD,asc or FIELD,desc`);
  return { field, order };
}

/** What goes on where a page ends. Base64 of JSON; Backstage's client goes on by POST when it holds `query`. */
function cursorOf(query: EntityQuery, values: string[], back: boolean, total?: number, post?: unknown): string {
  const { predicate, text, order, limit } = query;
  return Buffer.from(
    JSON.stringify({ predicate, text, order, limit, at: { values, back }, total, ...(post !== undefined && { query: true }) }),
  ).toString("base64");
}

const Cursor = z.object({
  predicate: z.custom<Predicate>((value) => typeof value === "object" && value !== null).optional(),
  text: z.string().optional(),
  order: z.array(OrderBy),
  limit: Limit,
  at: z.object({ values: z.array(z.string()), back: z.boolean() }),
  total: z.number().optional(),
});

function readCursor(cursor: string): { query: EntityQuery; total: number | undefined } {
  try {
    const { total, ...query } = Cursor.parse(JSON.parse(Buffer.from(cursor, "base64").toString("utf8")));
    return { query, total };
  } catch {
    throw queryInvalid("the cursor is not one that this catalog gave");
  }
}

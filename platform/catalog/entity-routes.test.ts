import { CatalogClient, CATALOG_FILTER_EXISTS, type CatalogApi, type EntityFilterQuery } from "@backstage/catalog-client";
import { InMemoryCatalogClient } from "@backstage/catalog-client/testUtils";
import * as fc from "fast-check";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { entityRoutes } from "./entity-routes.ts";
import { loadOrganisation } from "./organisation.ts";
import { ingest } from "./store.ts";

const ACTOR = "system:test";

/** A catalog of some sixty entities behind the routes, and the same entities in Backstage's own stand-in. */
async function twoCatalogs(): Promise<{ ours: CatalogApi; theirs: CatalogApi; close: () => Promise<void> }> {
  const db = await database();
  const pick = <T>(list: readonly T[], n: number) => list[n % list.length];
  const components = Array.from({ length: 40 }, (_, n) => ({
    apiVersion: "backstage.io/v1alpha1",
    kind: "Component",
    metadata: {
      name: `svc-${n}`,
      ...(n % 3 === 0 && { title: pick(["Orders", "carts", "Émile", "zebra"], n) }),
      ...(n % 2 === 0 && { tags: [pick(["java", "go"], n / 2), "web"] }),
      ...(n % 5 === 0 && { annotations: { "example.com/on-call": pick(["A", "b"], n / 5) } }),
      ...(n % 7 === 0 && { labels: { "cairn.dev/tier": "tier-1" } }),
    },
    spec: {
      type: pick(["service", "Website", "library"], n),
      owner: pick(["team-a", "group:default/team-b", "nobody"], n),
      lifecycle: pick(["experimental", "production"], n),
      ...(n > 0 && { dependsOn: [`component:svc-${n - 1}`] }),
      ...(n % 4 === 0 && { providesApis: [`api-${n % 8}`] }),
      ...(n % 6 === 0 && { replicas: n, public: n % 12 === 0 }),
    },
  }));
  const apis = [0, 4].map((n) => ({
    apiVersion: "backstage.io/v1alpha1",
    kind: "API",
    metadata: { name: `api-${n}` },
    spec: { type: "openapi", owner: "team-a", lifecycle: "production", definition: "x" },
  }));
  const organisation = ["team-a", "team-b"].map((name) => ({
    apiVersion: "backstage.io/v1alpha1",
    kind: "Group",
    metadata: { name },
    spec: { type: "team", children: [], members: ["ada"] },
  }));
  const clock = testClock();
  await transact(db, (tx) => loadOrganisation(tx, clock, ACTOR, organisation));
  await transact(db, (tx) => ingest(tx, clock, ACTOR, { repository: "shop", commit: "c1", documents: [...components, ...apis] }));

  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async () => {});
  await app.register(entityRoutes({ db }), { prefix: "/api" });
  const address = await app.listen({ host: "127.0.0.1", port: 0 });
  const ours = new CatalogClient({ discoveryApi: { getBaseUrl: async (id) => `${address}/api/${id}` } });
  const { items } = await ours.getEntities();
  expect(items).toHaveLength(44);
  return { ours, theirs: new InMemoryCatalogClient({ entities: items }), close: () => app.close() };
}

const conditions: Record<string, readonly string[]> = {
  kind: ["Component", "api", "group", "nothing"],
  "metadata.name": ["svc-1", "SVC-2", "api-0", "team-a"],
  "metadata.namespace": ["default", "other"],
  "metadata.title": ["orders", "émile"],
  "metadata.tags": ["java", "WEB", "none"],
  "metadata.tags.java": ["true", "false"],
  "metadata.annotations.example.com/on-call": ["a", "B"],
  "metadata.labels.cairn.dev/tier": ["tier-1"],
  "spec.type": ["service", "website"],
  "spec.owner": ["team-a", "group:default/team-b"],
  "spec.lifecycle": ["Production"],
  "spec.replicas": ["0", "12"],
  "spec.public": ["true", "false"],
  "spec.nothing": ["x"],
  "relations.ownedBy": ["group:default/team-a", "group:default/nobody"],
  "relations.dependencyOf": ["component:default/svc-3"],
  "relations.hasMember": ["user:default/ada"],
  "Spec.Type": ["service"],
};
const anyCondition = fc
  .constantFrom(...Object.keys(conditions))
  .chain((key) => fc.tuple(fc.constant(key), fc.constantFrom(...conditions[key]!, CATALOG_FILTER_EXISTS)));
const anyRecord = fc
  .uniqueArray(anyCondition, { minLength: 1, maxLength: 3, selector: ([key]) => key.toLowerCase() })
  .map((pairs) => Object.fromEntries(pairs));
const anyFilter = fc.array(anyRecord, { minLength: 1, maxLength: 3 }) as fc.Arbitrary<Exclude<EntityFilterQuery, Record<string, unknown>>>;
const anyOrder = fc.uniqueArray(
  fc.record({
    field: fc.constantFrom("metadata.name", "metadata.title", "spec.type", "kind", "metadata.annotations.example.com/on-call"),
    order: fc.constantFrom("asc" as const, "desc" as const),
  }),
  { maxLength: 2, selector: ({ field }) => field },
);
const names = (entities: readonly { kind: string; metadata: { name: string } }[]) =>
  entities.map((entity) => `${entity.kind} ${entity.metadata.name}`);

test("filters, orders, pages and facets give what Backstage's own catalog gives", { timeout: 120_000 }, async () => {
  const { ours, theirs, close } = await twoCatalogs();
  await fc.assert(
    fc.asyncProperty(anyFilter, anyOrder, async (filter, order) => {
      const [mine, its] = await Promise.all(
        [ours, theirs].map((client) => client.getEntities({ filter, order: order.length > 0 ? order : [{ field: "kind", order: "asc" }] })),
      );
      expect(names(mine!.items)).toEqual(names(its!.items));
    }),
    { numRuns: 120 },
  );
  await fc.assert(
    fc.asyncProperty(anyFilter, anyOrder, fc.integer({ min: 1, max: 15 }), async (filter, orderFields, limit) => {
      const whole = await theirs.queryEntities({
        filter,
        orderFields: orderFields.length > 0 ? orderFields : [{ field: "kind", order: "asc" }],
      });
      const seen: string[][] = [];
      let page = await ours.queryEntities({
        filter,
        orderFields: orderFields.length > 0 ? orderFields : [{ field: "kind", order: "asc" }],
        limit,
      });
      expect([page.totalItems, page.pageInfo.prevCursor]).toEqual([whole.totalItems, undefined]);
      for (;;) {
        seen.push(names(page.items));
        if (!page.pageInfo.nextCursor) break;
        page = await ours.queryEntities({ cursor: page.pageInfo.nextCursor, limit });
      }
      expect(seen.flat()).toEqual(names(whole.items));
      // And the same way back.
      for (let at = seen.length - 2; at >= 0; at--) {
        page = await ours.queryEntities({ cursor: page.pageInfo.prevCursor!, limit });
        expect(names(page.items)).toEqual(seen[at]);
      }
      expect(page.pageInfo.prevCursor).toBeUndefined();
    }),
    { numRuns: 25 },
  );
  const facets = ["kind", "spec.type", "metadata.tags", "spec.lifecycle", "metadata.annotations.example.com/on-call"];
  await fc.assert(
    fc.asyncProperty(anyFilter, async (filter) => {
      const [mine, its] = await Promise.all([ours, theirs].map((client) => client.getEntityFacets({ filter, facets })));
      const sorted = (list: { value: string; count: number }[] = []) => [...list].sort((a, b) => (a.value < b.value ? -1 : 1));
      for (const facet of facets) expect(sorted(mine!.facets[facet])).toEqual(sorted(its!.facets[facet]));
    }),
    { numRuns: 40 },
  );
  const fields = ["metadata.name", "kind", "metadata.annotations.example.com/on-call", "spec.nothing", "relations"];
  const [mine, its] = await Promise.all(
    [ours, theirs].map((client) => client.getEntities({ fields, order: { field: "metadata.name", order: "asc" } })),
  );
  expect(mine).toEqual(its);
  await close();
});

test("predicates give what Backstage's own catalog gives", { timeout: 120_000 }, async () => {
  const { ours, theirs, close } = await twoCatalogs();
  const fieldKeys = ["kind", "metadata.name", "metadata.title", "spec.type", "spec.lifecycle", "spec.owner", "spec.nothing"];
  const anyField = fc.constantFrom(...fieldKeys).chain((key) =>
    fc.oneof(
      fc.constantFrom(...conditions[key]!).map((value) => ({ [key]: value })),
      fc.subarray([...conditions[key]!], { minLength: 1 }).map(($in) => ({ [key]: { $in } })),
      fc.boolean().map(($exists) => ({ [key]: { $exists } })),
      fc.constantFrom("s", "Te", "svc-1").map(($hasPrefix) => ({ [key]: { $hasPrefix } })),
    ),
  );
  const contains = fc.constantFrom<object>(
    { "metadata.tags": { $contains: "java" } },
    { relations: { $contains: { type: "ownedBy", targetRef: "group:default/team-a" } } },
    { relations: { $contains: { type: "dependencyOf" } } },
  );
  const { predicate } = fc.letrec<{ predicate: object }>((tie) => ({
    predicate: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(anyField, contains) as fc.Arbitrary<object>,
      fc.array(tie("predicate"), { maxLength: 3 }).map(($all) => ({ $all })),
      fc.array(tie("predicate"), { maxLength: 3 }).map(($any) => ({ $any })),
      tie("predicate").map(($not) => ({ $not })),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(predicate, async (query) => {
      const request = { query: query as never, orderFields: { field: "metadata.name", order: "asc" as const }, limit: 100 };
      const [mine, its] = await Promise.all([ours, theirs].map((client) => client.queryEntities(request)));
      expect([names(mine!.items), mine!.totalItems]).toEqual([names(its!.items), its!.totalItems]);
    }),
    { numRuns: 120 },
  );
  await close();
});

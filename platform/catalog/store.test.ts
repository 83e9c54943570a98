import * as fc from "fast-check";
import { expect, test } from "vitest";
import { transact, type Db } from "../kernel/sql.ts";
import { events, verify } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { addDependency, removeDependency } from "./dependencies.ts";
import { checkDocuments, parseDocuments, REPOSITORY_KINDS } from "./descriptor.ts";
import { entitiesByRefs } from "./entities.ts";
import { loadOrganisation } from "./organisation.ts";
import { claimName, examine, ingest, note, register, releaseName, requireOwner, type Claim } from "./store.ts";
import { directory, facts, serviceDetail, serviceView } from "./views.ts";

const clock = testClock();
const ACTOR = "system:test";

const component = (overrides: { name?: string; owner?: unknown; spec?: object; metadata?: object; labels?: object } = {}) => ({
  apiVersion: "backstage.io/v1alpha1",
  kind: "Component",
  metadata: { name: overrides.name ?? "orders", ...(overrides.labels && { labels: overrides.labels }), ...overrides.metadata },
  spec: { type: "service", owner: overrides.owner ?? "team-a", lifecycle: "production", ...overrides.spec },
});
const resource = (name: string) => ({
  apiVersion: "backstage.io/v1alpha1",
  kind: "Resource",
  metadata: { name },
  spec: { type: "database", owner: "team-a" },
});
const group = (name: string, members: string[] = []) => ({
  apiVersion: "backstage.io/v1alpha1",
  kind: "Group",
  metadata: { name },
  spec: { type: "team", children: [], members },
});
const user = (name: string, memberOf: string[]) => ({
  apiVersion: "backstage.io/v1alpha1",
  kind: "User",
  metadata: { name },
  spec: { memberOf },
});
const aService = (overrides: object = {}) => ({
  name: "orders",
  description: "",
  owner_team: "team-a",
  lifecycle: "production" as const,
  repository_url: "",
  ...overrides,
});
const aClaim = (overrides: Partial<Claim> = {}): Claim => ({
  name: "orders",
  owner: "team-a",
  repository: "orders",
  plan: "sha256:1",
  ...overrides,
});

const findingsOf = async (text: string) => {
  const { documents, findings } = parseDocuments(text);
  return [...findings, ...(await checkDocuments(documents, REPOSITORY_KINDS)).findings];
};
const describe = (db: Db, documents: unknown[], repository = "orders", commit = "c1") =>
  transact(db, (tx) => ingest(tx, clock, ACTOR, { repository, commit, documents }));
const typesAbout = async (db: Db, about: string) => (await events(db, { about })).map((event) => event.type);

test.each<[string, unknown, string]>([
  ["a group: a repository is nobody's organisation", group("team-a", ["mallory"]), "come with the organisation"],
  ["a user", user("mallory", ["team-a"]), "come with the organisation"],
  ["a trailing hyphen", component({ name: "orders-" }), "metadata.name"],
  ["a name of 64", component({ name: "o".repeat(64) }), "metadata.name"],
  ["a name that is no Kubernetes name", component({ name: "Orders_1" }), "lower-case letters"],
  ["no owner", component({ spec: { owner: undefined } }), "owner"],
  ["an owner that is no text", component({ owner: 7 }), "owner"],
  ["a lifecycle of its own", component({ spec: { lifecycle: "staging" } }), "spec.lifecycle is staging"],
  ["a tier of its own", component({ labels: { "cairn.dev/tier": "gold" } }), "cairn.dev/tier is gold"],
  ["another namespace", component({ metadata: { namespace: "other" } }), "metadata.namespace"],
  ["an unknown kind", { ...component(), kind: "Widget" }, "kind Widget"],
  ["an unknown version", { ...component(), apiVersion: "example.com/v9" }, "kind Component of example.com/v9"],
  ["fields of its own at the root", { ...component(), extra: 1 }, "extra"],
  ["no metadata", { apiVersion: "backstage.io/v1alpha1", kind: "Component" }, "metadata"],
  ["a NUL", component({ metadata: { description: "a\0b" } }), "NUL"],
  ["half a character as a key", component({ spec: { "\ud800": 1 } }), "half a character"],
  ["a number that JSON can't hold", component({ spec: { size: Number.NaN } }), "NaN"],
  ["more nesting than sense", component({ spec: { deep: JSON.parse("[".repeat(5000) + "]".repeat(5000)) as unknown } }), "nested deeper"],
  ["more values than sense", component({ spec: { wide: Array.from({ length: 20_000 }, (_, n) => n) } }), "more than 10000 values"],
  ["text", "orders", "it is no entity"],
  ["nothing", null, "it is no entity"],
])("ingest() refuses %s, and takes in nothing of the rest", async (_what, document, why) => {
  const db = await database();
  await expect(describe(db, [component({ name: "good" }), document])).rejects.toMatchObject({
    code: "catalog.descriptor_invalid",
    message: expect.stringContaining(why),
  });
  expect(await db.selectFrom("catalog_entity").select("ref").execute()).toEqual([]);
  expect((await examine(db, { repository: "orders", documents: [document] })).refusals).toMatchObject([
    { message: expect.stringContaining(why) },
  ]);
});

test.each([
  ["broken YAML", "a: [", "catalog-info.yaml:1"],
  ["YAML nested without end", "[".repeat(100_000), "catalog-info.yaml"],
  [
    "aliases without end",
    `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(50)}]\nc: &c [${"*b,".repeat(50)}]\nd: [${"*c,".repeat(50)}]`,
    "catalog-info.yaml",
  ],
  ["a wrong entity", "kind: Component\nmetadata: {name: x}", "Component x"],
])("parseDocuments() and checkDocuments() find %s", async (_what, text, where) => {
  const findings = await findingsOf(text);
  expect(findings[0]).toMatchObject({ where: expect.stringContaining(where) });
  expect(findings.length).toBeLessThan(10);
});

test("parseDocuments() and checkDocuments() find nothing in a right one, and nothing in what a server gave out", async () => {
  const given = { ...component({ metadata: { uid: "u", etag: "e" } }), relations: [], status: {} };
  expect(await findingsOf(`${JSON.stringify(given)}\n---\n${JSON.stringify(resource("orders-db"))}\n`)).toEqual([]);
});

test("ingest() refuses one name twice, and names all that is wrong", async () => {
  const db = await database();
  await expect(describe(db, [component(), component()])).rejects.toMatchObject({
    facts: { findings: [{ where: "Component orders", message: "component:default/orders is declared twice" }] },
  });
  await expect(describe(db, [component({ name: "a-" }), component({ name: "b-" })])).rejects.toMatchObject({
    facts: { findings: [{ where: "Component a-" }, { where: "Component b-" }] },
  });
});

test("ingest() refuses a name that another repository describes or a plan took, and says who holds it; of two at once one gets it", async () => {
  const db = await database();
  const both = await Promise.allSettled(
    ["one", "two"].map((repository) => describe(db, [component(), resource(`${repository}-db`)], repository)),
  );
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const { reason } = both.find((outcome) => outcome.status === "rejected") as PromiseRejectedResult;
  const held = (await serviceView(db, "orders")).repository;
  expect(reason).toMatchObject({ code: "catalog.name_held", message: expect.stringContaining(`which repository ${held} describes`) });
  expect(await db.selectFrom("catalog_entity").select("ref").execute()).toHaveLength(2);
  const other = held === "one" ? "two" : "one";
  expect((await examine(db, { repository: other, documents: [component()] })).refusals).toMatchObject([
    { where: "component:default/orders" },
  ]);
  await transact(db, (tx) => claimName(tx, clock, ACTOR, aClaim({ name: "carts", repository: "carts" })));
  await expect(describe(db, [component({ name: "carts" })], "thief")).rejects.toMatchObject({ code: "catalog.name_held" });
});

test("ingest() replaces what was registered by hand, keeps its uid and age, and is the truth from then on", async () => {
  const db = await database();
  await transact(db, (tx) => register(tx, clock, "user:default/ada", aService({ owner_team: "by-hand", description: "by hand" })));
  const [before] = await entitiesByRefs(db, ["component:default/orders"]);
  await describe(db, [component({ labels: { "cairn.dev/tier": "tier-1" } })]);
  const [after] = await entitiesByRefs(db, ["component:default/orders"]);
  expect(await serviceView(db, "orders")).toMatchObject({
    owner: "team-a",
    source: "descriptor",
    tier: "tier-1",
    repository: "orders",
    description: "",
  });
  expect(after?.metadata.uid).toBe(before?.metadata.uid);
  expect(after?.metadata.etag).not.toBe(before?.metadata.etag);
  expect(after?.relations).toEqual([{ type: "ownedBy", targetRef: "group:default/team-a" }]);
  await expect(transact(db, (tx) => register(tx, clock, "user:default/ada", aService()))).rejects.toMatchObject({
    code: "catalog.service_name_taken",
    message: "Service orders already exists",
    next: expect.stringContaining("is described in repository orders"),
  });
  expect(await typesAbout(db, "component:default/orders")).toEqual(["catalog.service_registered", "catalog.entity_described"]);
});

test("ingest() records what changed and nothing where nothing did, removes what is gone, and keeps a component as an orphan that another may take", async () => {
  const db = await database();
  await describe(db, [component({ spec: { dependsOn: ["resource:orders-db"] } }), resource("orders-db")]);
  await describe(db, [component({ spec: { dependsOn: ["resource:orders-db"] } }), resource("orders-db")], "orders", "c2");
  expect(await events(db)).toHaveLength(2);
  expect((await db.selectFrom("catalog_entity").select("commit").execute()).map((row) => row.commit)).toEqual(["c2", "c2"]);
  const diff = await describe(db, [component({ owner: "team-b" })], "orders", "c3");
  expect(diff).toMatchObject({
    removed: ["resource:default/orders-db"],
    changed: [{ ref: "component:default/orders", fields: ["spec.dependsOn", "spec.owner"] }],
    relationsAdded: [{ type: "ownedBy", target: "group:default/team-b" }],
  });
  expect(await typesAbout(db, "component:default/orders")).toEqual(["catalog.entity_described", "catalog.entity_changed"]);
  expect(await typesAbout(db, "resource:default/orders-db")).toEqual(["catalog.entity_described", "catalog.entity_removed"]);
  await expect(describe(db, [component()], "elsewhere")).rejects.toMatchObject({ code: "catalog.name_held" });
  await describe(db, [], "orders", "c4");
  await describe(db, [], "orders", "c5");
  expect((await entitiesByRefs(db, ["component:default/orders"]))[0]?.metadata.annotations).toEqual({ "backstage.io/orphan": "true" });
  await describe(db, [component()], "elsewhere", "c6");
  expect(await serviceView(db, "orders")).toMatchObject({ repository: "elsewhere", owner: "team-a" });
  expect((await entitiesByRefs(db, ["component:default/orders"]))[0]?.metadata.annotations).toBeUndefined();
  expect(await typesAbout(db, "component:default/orders")).toEqual([
    "catalog.entity_described",
    "catalog.entity_changed",
    "catalog.entity_orphaned",
    "catalog.entity_described",
  ]);
  // The old repository has let it go: what it says now about other things leaves the component alone.
  await describe(db, [resource("other")], "orders", "c7");
  expect(await serviceView(db, "orders")).toMatchObject({ repository: "elsewhere" });
  expect(await verify(db)).toBeUndefined();
});

test("claimName() refuses a taken name, takes it once for a plan, and releaseName() gives back only what that plan took", async () => {
  const db = await database();
  const claim = (overrides: Partial<Claim> = {}) => transact(db, (tx) => claimName(tx, clock, ACTOR, aClaim(overrides)));
  const release = (plan: string) => transact(db, (tx) => releaseName(tx, clock, ACTOR, { name: "orders", plan }));
  const both = await Promise.allSettled([claim(), claim({ plan: "sha256:2" })]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const plan = both[0]!.status === "fulfilled" ? "sha256:1" : "sha256:2";
  await claim({ plan });
  expect(await typesAbout(db, "component:default/orders")).toEqual(["catalog.service_claimed"]);
  await expect(transact(db, (tx) => register(tx, clock, ACTOR, aService()))).rejects.toMatchObject({
    code: "catalog.service_name_taken",
    next: expect.stringContaining("group:default/team-a"),
  });
  await release("sha256:9");
  expect(await serviceView(db, "orders")).toMatchObject({ source: "registered", repository: "orders" });
  await describe(db, [component()]);
  await claim({ plan });
  await release(plan);
  await release(plan);
  await expect(serviceView(db, "orders")).rejects.toMatchObject({ code: "catalog.service_not_found" });
  expect(await typesAbout(db, "component:default/orders")).toEqual([
    "catalog.service_claimed",
    "catalog.entity_described",
    "catalog.claim_released",
  ]);
});

test("requireOwner() refuses an unknown service, an unknown team and an owner who is a person", async () => {
  const db = await database();
  await expect(requireOwner(db, "orders")).rejects.toMatchObject({ code: "catalog.service_not_found" });
  await describe(db, [
    component({ owner: "team-x" }),
    component({ name: "carts", owner: "user:ada" }),
    component({ name: "mail", owner: "group:default/Team-A" }),
  ]);
  await transact(db, (tx) => loadOrganisation(tx, clock, ACTOR, [group("team-a"), user("ada", [])]));
  await expect(requireOwner(db, "orders")).rejects.toMatchObject({
    kind: "precondition",
    code: "catalog.owner_unknown",
    message: expect.stringContaining("team-x is no group"),
  });
  await expect(requireOwner(db, "carts")).rejects.toMatchObject({ code: "catalog.owner_unknown" });
  expect(await requireOwner(db, "mail")).toBe("group:default/team-a");
  expect(
    (await examine(db, { repository: "orders", documents: [component({ owner: "team-x" }), component({ name: "mail" })] })).unowned,
  ).toEqual(["component:default/orders"]);
});

test("note() refuses an unknown entity, keeps the newest observation and records only news", async () => {
  const db = await database();
  const say = (value: unknown, at?: Date) =>
    transact(db, (tx) => note(tx, clock, ACTOR, "component:default/orders", { "production.version": value }, at));
  await expect(say("v1")).rejects.toMatchObject({ code: "catalog.entity_not_found" });
  await describe(db, [component()]);
  await say({ digest: "sha256:1", at: [1, null] }, new Date("2026-03-01T12:00:00Z"));
  await say({ at: [1, null], digest: "sha256:1" }, new Date("2026-03-01T12:00:01Z"));
  await say("late news", new Date("2026-03-01T11:00:00Z"));
  expect(await facts(db, "component:default/orders")).toEqual([
    { key: "production.version", value: { at: [1, null], digest: "sha256:1" }, observedAt: new Date("2026-03-01T12:00:01Z") },
  ]);
  await Promise.all([say("x", new Date("2026-03-02T00:00:00Z")), say("y", new Date("2026-03-03T00:00:00Z"))]);
  expect((await facts(db, "component:default/orders"))[0]?.value).toBe("y");
  for (const value of [null, "text", 0, false, []]) {
    await say(value, new Date("2026-03-04T00:00:00Z"));
    expect((await facts(db, "component:default/orders"))[0]?.value).toEqual(value);
  }
});

test("dependencies that a descriptor declares show beside those added by hand, which alone can be removed by hand", async () => {
  const db = await database();
  await describe(db, [
    component({ spec: { dependsOn: ["component:carts", "resource:orders-db"] } }),
    component({ name: "carts" }),
    component({ name: "mail", spec: { dependencyOf: ["component:orders"] } }),
  ]);
  const declared = (target: string) => ({
    source_service: "orders",
    target_service: target,
    dependency_type: "runtime",
    is_critical: false,
    declared: true,
  });
  expect((await serviceDetail(db, "orders")).dependencies).toEqual([
    declared("carts"),
    declared("mail"),
    declared("resource:default/orders-db"),
  ]);
  await expect(transact(db, (tx) => removeDependency(tx, clock, ACTOR, "orders", "carts"))).rejects.toMatchObject({
    code: "catalog.dependency_declared",
  });
  await transact(db, (tx) =>
    addDependency(tx, clock, ACTOR, { source_service: "orders", target_service: "carts", dependency_type: "data", is_critical: true }),
  );
  expect((await serviceDetail(db, "orders")).dependencies[0]).toEqual({ ...declared("carts"), dependency_type: "data", is_critical: true });
  expect((await serviceDetail(db, "mail")).dependents).toMatchObject([{ source_service: "orders", declared: true }]);
  await transact(db, (tx) => removeDependency(tx, clock, ACTOR, "orders", "carts"));
  expect((await serviceDetail(db, "orders")).dependencies[0]).toEqual(declared("carts"));
});

test("directory() counts memberships of teams that exist, from both sides", async () => {
  const db = await database();
  await transact(db, (tx) =>
    loadOrganisation(tx, clock, ACTOR, [group("team-a"), group("team-b", ["ada"]), user("ada", ["team-a", "nowhere"])]),
  );
  expect(await directory(db).groupsOf("user:default/ada")).toEqual(["group:default/team-a", "group:default/team-b"]);
  await transact(db, (tx) => loadOrganisation(tx, clock, ACTOR, [user("ada", [])]));
  expect(await directory(db).groupsOf("user:default/ada")).toEqual(["group:default/team-b"]);
});

test("examine() says what ingest() then does, for any change of a descriptor", async () => {
  const db = await database();
  const anyComponent = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    owner: fc.constantFrom("team-a", "team-b"),
    spec: fc.record({ dependsOn: fc.uniqueArray(fc.constantFrom("component:a", "component:b", "resource:d")) }, { requiredKeys: [] }),
  });
  const anyDescriptor = fc.uniqueArray(anyComponent, { selector: ({ name }) => name }).map((list) => list.map(component));
  await fc.assert(
    fc.asyncProperty(anyDescriptor, async (documents) => {
      const foreseen = await examine(db, { repository: "orders", documents });
      expect(await describe(db, documents)).toEqual(foreseen.diff);
      // A descriptor taken in twice changes nothing the second time.
      const recorded = (await events(db, { newestFirst: true, limit: 1 }))[0]?.seq;
      await describe(db, documents);
      expect((await events(db, { newestFirst: true, limit: 1 }))[0]?.seq).toBe(recorded);
    }),
    { numRuns: 40 },
  );
});

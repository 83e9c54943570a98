import * as fc from "fast-check";
import { join } from "node:path";
import { expect, test } from "vitest";
import { canonicalJson, digestOf } from "../kernel/digest.ts";
import type { ResourceState } from "./contract.ts";
import { parseScore } from "./intent.ts";
import { renderManifests } from "./manifests.ts";
import { databaseName } from "./modules.ts";
import { namespaceOf } from "./names.ts";
import { mergePatch } from "./patches.ts";
import { partsOf } from "./placeholders.ts";
import { planInfra } from "./plan.ts";
import { loadPrices, priceOf } from "./prices.ts";

const target = { service: "orders", environment: "dev", owner: "team-a" };
const free = { currency: "EUR", monthly: {} };

test.each([
  ["no YAML", "a: [", "line 1"],
  ["nothing", "", "the document"],
  ["another version", score({ apiVersion: "score.dev/v1b2" }), "apiVersion"],
  ["a name that Kubernetes refuses", score({ metadata: { name: "Orders_" } }), "metadata.name"],
  ["no container", score({ containers: {} }), "containers"],
  ["two containers", score({ containers: { a: { image: "." }, b: { image: "." } } }), "containers"],
  ["an unknown field", score({ containers: { main: { image: ".", volumes: {} } } }), "containers.main"],
  ["a port that is none", score({ service: { ports: { http: { port: 70_000 } } } }), "service.ports.http.port"],
  [
    "an amount that is none",
    score({ containers: { main: { image: ".", resources: { limits: { memory: "much" } } } } }),
    "containers.main.resources.limits.memory",
  ],
  [
    "a probe without its port",
    score({ containers: { main: { image: ".", livenessProbe: { httpGet: { path: "/" } } } } }),
    "containers.main.livenessProbe",
  ],
  [
    "too many aliases",
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]`,
    "the document",
  ],
])("parseScore() refuses %s, and says where", (_what, text, path) => {
  expect(() => parseScore(text)).toThrow(expect.objectContaining({ code: "infra.intent_invalid", facts: { path } }));
});

test.each([
  ["a type that no module provides", { resources: { db: { type: "oracle" } } }, "infra.module_unknown"],
  ["a type named like a property of every object", { resources: { db: { type: "constructor" } } }, "infra.module_unknown"],
  ["a parameter that the module does not take", { resources: { db: { type: "postgres", params: { size: 1 } } } }, "infra.intent_invalid"],
  [
    "a parameter that is out of bounds",
    { resources: { db: { type: "postgres", params: { connectionLimit: 0 } } } },
    "infra.intent_invalid",
  ],
  ["a resource that is not declared", variables("${resources.db.uri}"), "infra.placeholder_unknown"],
  [
    "an output that there is not",
    { ...variables("${resources.db.ur}"), resources: { db: { type: "postgres" } } },
    "infra.placeholder_unknown",
  ],
  ["what is none of the metadata", variables("${metadata.__proto__}"), "infra.placeholder_unknown"],
  [
    "a secret's name that can't be one",
    { ...variables("${resources.vault.__proto__}"), resources: { vault: { type: "secret" } } },
    "infra.placeholder_unknown",
  ],
  ["a parameter of a secret", { resources: { vault: { type: "secret", params: { value: "x" } } } }, "infra.intent_invalid"],
  ["another root", variables("${env.HOME}"), "infra.placeholder_unknown"],
  ["another name than the service's", { metadata: { name: "invoices" } }, "infra.intent_invalid"],
  ["no port", { service: undefined }, "infra.intent_invalid"],
])("planInfra() refuses %s", (_what, overrides, code) => {
  expect(() => planInfra(parseScore(score(overrides)), [], target, free)).toThrow(expect.objectContaining({ code }));
});

test("planInfra() tells create, update, delete and none apart, and is pure", () => {
  const intent = parseScore(
    score({ resources: { db: { type: "postgres" }, archive: { type: "postgres", params: { connectionLimit: 5 } } } }),
  );
  const first = planInfra(intent, [], target, free);
  const asPlanned = first.resources.map(({ address, type, properties }): ResourceState => ({ address, type, properties, state: "ready" }));
  const changed = asPlanned.map((one) =>
    one.address === "postgres/archive" ? { ...one, properties: { ...one.properties, connectionLimit: 9 } } : one,
  );
  const state: ResourceState[] = [
    ...changed,
    { address: "postgres/old", type: "postgres", state: "ready", properties: { database: "svc_orders_dev_old" } },
  ];
  const plan = planInfra(intent, state, target, free);
  expect(plan.resources.map(({ address, action }) => [address, action])).toEqual([
    ["http-service/orders", "none"],
    ["postgres/db", "none"],
    ["postgres/archive", "update"],
    ["postgres/old", "delete"],
  ]);
  expect(plan.resources[3]).toMatchObject({ properties: { destructive: true }, because: expect.stringContaining("DESTRUCTIVE") });
  expect(canonicalJson(planInfra(intent, state.toReversed(), target, free))).toBe(canonicalJson(plan));
  expect(plan.basis.state).not.toBe(first.basis.state);
});

test.each(["creating", "updating", "deleting"] as const)("planInfra() goes on with what was interrupted while %s", (state) => {
  const intent = parseScore(score({ resources: { db: { type: "postgres" } } }));
  const [, planned] = planInfra(intent, [], target, free).resources;
  const before = [{ address: "postgres/db", type: "postgres", state, properties: planned?.properties ?? {} }];
  expect(planInfra(intent, before, target, free).resources[1]).toMatchObject({
    action: state === "updating" ? "update" : "create",
    because: expect.stringContaining("interrupted"),
  });
});

test("a cost that the price list does not give is unknown, never nothing", async () => {
  const intent = parseScore(score({ resources: { db: { type: "postgres" } } }));
  expect(planInfra(intent, [], target, free)).toMatchObject({ cost: { monthly: null, unknown: ["http-service/orders", "postgres/db"] } });
  const some = planInfra(intent, [], target, { currency: "CHF", monthly: { postgres: { each: 2.5 } } });
  expect(some.cost).toEqual({ monthly: 2.5, currency: "CHF", unknown: ["http-service/orders"] });
  expect(some.unknowns).toContain("What http-service/orders costs: the price list does not say");
  const library = await loadPrices(join(import.meta.dirname, "../../library/prices/local.yaml"));
  expect(priceOf(library, "http-service", { cpu: "500m", memory: "512Mi" })).toBe(5);
  expect(priceOf(library, "http-service", { cpu: "500m" })).toBeNull();
  expect(priceOf(library, "toString")).toBeNull();
});

test("renderManifests() gives the namespace's labels and quota, probes, and secrets as references", () => {
  const probe = { httpGet: { path: "/readyz", port: 8080 } };
  const intent = parseScore(
    score({
      containers: {
        main: {
          image: ".",
          variables: {
            DATABASE_URL: "${resources.db.uri}",
            NAME: "${metadata.name}-$${x} $(y)",
            DSN: "postgres://${resources.db.username}:${resources.db.password}@x",
          },
          readinessProbe: probe,
        },
      },
      resources: { db: { type: "postgres" } },
    }),
  );
  const [namespace, quota, deployment, service] = renderManifests(intent, target);
  expect(namespace).toMatchObject({
    kind: "Namespace",
    metadata: { name: "orders-dev", labels: { "managed-by": "platform", "owner-team": "team-a", service: "orders" } },
  });
  expect(quota).toMatchObject({
    metadata: { name: "default-quota", namespace: "orders-dev" },
    spec: { hard: { cpu: "4", memory: "8Gi", pods: "20" } },
  });
  expect(deployment).toMatchObject({
    spec: {
      template: {
        spec: {
          containers: [
            {
              env: [
                { name: "PORT", value: "8080" },
                { name: "RESOURCES_DB_USERNAME", valueFrom: { secretKeyRef: { name: "db", key: "username" } } },
                { name: "RESOURCES_DB_PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
                { name: "DATABASE_URL", valueFrom: { secretKeyRef: { name: "db", key: "uri" } } },
                { name: "NAME", value: "orders-${x} $$(y)" },
                { name: "DSN", value: "postgres://$(RESOURCES_DB_USERNAME):$(RESOURCES_DB_PASSWORD)@x" },
              ],
              readinessProbe: probe,
            },
          ],
        },
      },
    },
  });
  expect(service).toMatchObject({ kind: "Service", spec: { ports: [{ port: 80, targetPort: 8080 }] } });
});

const patch = (text: string) =>
  planInfra(parseScore(score({})), [], { ...target, patches: [{ path: "k8s/a.yaml", text }] }, free).manifests;

test.each([
  ["no YAML", "a: ["],
  ["no name", "kind: Deployment"],
  ["an object that was not rendered", "{ kind: Deployment, metadata: { name: other } }"],
  ["another namespace", "{ kind: Deployment, metadata: { name: orders, namespace: kube-system } }"],
])("a patch with %s is refused, naming its file", (_what, text) => {
  expect(() => patch(text)).toThrow(expect.objectContaining({ code: "infra.patch_invalid", facts: { path: "k8s/a.yaml" } }));
});

test("a patch is merged into its object, or added where it says so; other files of k8s/ are left alone", () => {
  const merged = patch("kind: Deployment\nmetadata: { name: orders }\nspec: { replicas: 3, strategy: null }");
  expect(merged.find(({ kind }) => kind === "Deployment")).toMatchObject({ apiVersion: "apps/v1", spec: { replicas: 3, selector: {} } });
  expect(JSON.stringify(merged)).not.toContain("RollingUpdate");
  expect(patch('{ apiVersion: v1, kind: ConfigMap, metadata: { name: x, annotations: { cairn.dev/add: "true" } } }')).toHaveLength(5);
  const elsewhere = [
    { path: "k8s/examples/a.yaml", text: "a: [" },
    { path: "k8s/README.md", text: "#" },
    { path: "k8s/empty.yaml", text: "# nothing\n" },
  ];
  expect(planInfra(parseScore(score({})), [], { ...target, patches: elsewhere }, free).manifests).toHaveLength(4);
});

test("mergePatch() keeps to RFC 7396: what the patch names is as it says, all else as it was", () => {
  const json = fc.jsonValue();
  fc.assert(
    fc.property(json, json, (document, change) => {
      const once = mergePatch(document, change);
      expect(mergePatch(once, change)).toEqual(once);
      expect(mergePatch(document, {})).toEqual(
        typeof document === "object" && document !== null && !Array.isArray(document) ? document : {},
      );
    }),
  );
  expect(mergePatch({ a: "b", c: { d: "e", f: "g" } }, { a: "z", c: { f: null } })).toEqual({ a: "z", c: { d: "e" } });
  expect(mergePatch({ a: [{ b: "c" }] }, { a: [1] })).toEqual({ a: [1] });
  expect(mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}')) as { polluted?: boolean }).not.toHaveProperty("polluted", true);
});

test("partsOf() takes a text apart", () => {
  expect(partsOf("a ${b.c} $${d} $$ $e ${f\\.g.h}")).toEqual([
    { text: "a " },
    { placeholder: ["b", "c"] },
    { text: " ${d} $ $e " },
    { placeholder: ["f.g", "h"] },
  ]);
  fc.assert(
    fc.property(fc.string(), (text) => {
      if (!text.includes("$")) expect(partsOf(text)).toEqual(text === "" ? [] : [{ text }]);
    }),
  );
});

test("names of databases and namespaces fit, and two never become one", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);
  fc.assert(
    fc.property(name, name, name, name, (service, other, environment, resource) => {
      const of = (one: string) => [databaseName({ service: one, environment }, resource), namespaceOf(one, environment)];
      for (const made of of(service)) expect(made.length).toBeLessThanOrEqual(63);
      if (service !== other) expect(of(service)).not.toEqual(of(other));
    }),
  );
  const long = "a".repeat(60);
  expect(databaseName({ service: `${long}bcd`, environment: "dev" }, "db")).not.toBe(
    databaseName({ service: `${long}bce`, environment: "dev" }, "db"),
  );
  expect(databaseName({ service: "orders", environment: "dev" }, "db")).toBe("svc_orders_dev_db");
});

function score(overrides: Record<string, unknown>): string {
  return JSON.stringify({
    apiVersion: "score.dev/v1b1",
    metadata: { name: "orders" },
    service: { ports: { http: { port: 80, targetPort: 8080 } } },
    containers: { main: { image: "." } },
    ...overrides,
  });
}

function variables(value: string) {
  return { containers: { main: { image: ".", variables: { X: value } } } };
}

test("a secret that nobody has set is an unknown of the plan; a set one stands in it by its version, and another value is a change", () => {
  const intent = parseScore(
    score({
      containers: {
        main: {
          image: ".",
          variables: { KEY: "${resources.vault.API_KEY}", URL: "https://${resources.vault.API_KEY}@${resources.vault.HOST}" },
        },
      },
      resources: { vault: { type: "secret" } },
    }),
  );
  const none = planInfra(intent, [], target, free);
  expect(none.missingSecrets).toEqual(["API_KEY", "HOST"]);
  expect(none.unknowns).toContain("The secret API_KEY: nobody has set it for dev (cairn secrets set orders API_KEY --environment dev)");
  const secrets = { API_KEY: "v1", HOST: "v2", OTHER: "v3" };
  const first = planInfra(intent, [], { ...target, secrets }, free);
  expect(first.missingSecrets).toEqual([]);
  expect(first.resources[1]).toMatchObject({ address: "secret/vault", properties: { keys: { API_KEY: "v1", HOST: "v2" } } });
  const env = JSON.stringify(first.manifests);
  expect(env).toContain('{"name":"KEY","valueFrom":{"secretKeyRef":{"name":"service.secrets","key":"API_KEY.v1"}}}');
  expect(env).toContain('{"name":"URL","value":"https://$(RESOURCES_VAULT_API_KEY)@$(RESOURCES_VAULT_HOST)"}');
  expect(env).not.toContain("OTHER");
  const state = first.resources.map(({ address, type, properties }): ResourceState => ({ address, type, properties, state: "ready" }));
  const second = planInfra(intent, state, { ...target, secrets: { ...secrets, API_KEY: "v4" } }, free);
  expect(second.resources[1]).toMatchObject({ action: "update", because: "keys changed" });
  expect(digestOf(second.manifests)).not.toBe(digestOf(first.manifests));
});

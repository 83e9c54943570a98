import { PolicySubject } from "./model.ts";

/** Overrides at any depth: an object is laid over what is there, all else takes its place. */
export type Overrides = { [key: string]: unknown };

/** A sound subject for tests and for the cases of rules: the release of a tier-3 service to production. */
export function aSubject(overrides: Overrides = {}): PolicySubject {
  const commit = "a".repeat(40);
  const resources = { requests: { cpu: "50m", memory: "64Mi" }, limits: { cpu: "500m", memory: "256Mi" } };
  const readinessProbe = { httpGet: { path: "/readyz", port: 8080 } };
  const subject: PolicySubject = {
    point: "release",
    environment: { name: "production", production: true, mode: "enforce" },
    service: {
      name: "orders",
      tier: "tier-3",
      lifecycle: "production",
      owner: "group:default/shop",
      ownerExists: true,
      repository: "orders",
    },
    change: { number: 7, author: "user:default/ada", approvedBy: ["user:default/grace"], mergeCommit: commit },
    commit,
    artifact: { digest: `sha256:${"c".repeat(64)}` },
    quarantine: { quarantined: false, by: "", because: "" },
    evidence: {
      provenance: {
        repository: "orders",
        commit,
        builder: "https://cairn.dev/builders/local",
        isolated: true,
        ageSeconds: 60,
        revoked: false,
      },
      tests: { result: "passed", total: 12, failed: 0, ageSeconds: 60, revoked: false },
      sbom: { components: 40, revoked: false },
      scan: { result: "passed", critical: 0, ageSeconds: 60, revoked: false },
    },
    workload: {
      apiVersion: "score.dev/v1b1",
      metadata: { name: "orders" },
      containers: { main: { image: ".", resources, readinessProbe } },
    },
    manifests: [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "orders" },
        spec: { template: { spec: { containers: [{ name: "main", image: "orders", resources, readinessProbe }] } } },
      },
      { apiVersion: "v1", kind: "Service", metadata: { name: "orders" }, spec: { ports: [{ port: 80, targetPort: 8080 }] } },
    ],
    slo: { present: true, edited: true },
    runbook: { present: true, edited: true },
    alertRoute: { present: true },
    onCall: { rotation: "shop-primary" },
    scanRules: { maxAgeDays: 14, maxCritical: 0 },
    findings: [],
    infrastructure: {
      creates: 0,
      updates: 0,
      deletes: 0,
      resources: [
        { address: "http-service/orders", type: "http-service", action: "none", properties: { replicas: 1 } },
        { address: "postgres/db", type: "postgres", action: "none", properties: { database: "svc_orders_production_db" } },
      ],
      monthlyCost: 12.5,
      currency: "EUR",
    },
  };
  return PolicySubject.parse(laid(subject, overrides));
}

function laid(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over;
  const keys = [...new Set([...Object.keys(base), ...Object.keys(over)])];
  return Object.fromEntries(keys.map((key) => [key, Object.hasOwn(over, key) ? laid(base[key], over[key]) : base[key]]));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

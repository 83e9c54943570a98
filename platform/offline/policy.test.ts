import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadPolicies } from "../policy/bundle.ts";
import { EVALUATOR } from "../policy/evaluator.ts";
import type { RuleBundle } from "../policy/portable.ts";
import { checkPolicy, readRuleBundle } from "./policy.ts";

const now = new Date("2026-03-01T12:00:00.000Z");
const rules = await loadPolicies(join(import.meta.dirname, "../../library/policies"));
const bundle: RuleBundle = {
  kind: "cairn.dev/policy-bundle",
  digest: rules.digest,
  evaluator: EVALUATOR,
  rules: rules.document,
  environments: [
    { name: "dev", production: false, mode: "warn" },
    { name: "production", production: true, mode: "enforce" },
  ],
  groups: ["group:default/shop"],
  tiers: {},
  rotations: {},
  reliefs: [],
  takenAt: now,
};

const FILES = {
  "catalog-info.yaml":
    "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: { name: orders, labels: { cairn.dev/tier: tier-3 } }\nspec: { type: service, lifecycle: production, owner: shop }\n",
  "score.yaml":
    "apiVersion: score.dev/v1b1\nmetadata: { name: orders }\ncontainers: { main: { image: ., resources: { requests: { cpu: 50m, memory: 64Mi }, limits: { cpu: 500m, memory: 256Mi } }, readinessProbe: { httpGet: { path: /readyz, port: 8080 } } } }\nservice: { ports: { web: { port: 80, targetPort: 8080 } } }\n",
  "cairn.yaml":
    "apiVersion: cairn.dev/v1\nkind: Contract\nci: { test: make test, include: ['.'] }\nstart: ./serve\nenvironments: [dev, production]\n",
  "slo.yaml": "kind: SLO\nmetadata: { name: orders }\n",
  "docs/runbook.md": "# Runbook\n",
};

async function checkout(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-checkout-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const answers = async (files: Record<string, string>, by: RuleBundle = bundle) => {
  const { outcome, because, judgement } = await checkPolicy(await checkout(files), by, now);
  return {
    outcome,
    because,
    open: judgement?.results.filter((result) => result.outcome !== "passed" && result.mode !== "audit").map(({ rule }) => rule),
  };
};

test("checkPolicy() judges a checkout for the last environment of its route", async () => {
  expect(await answers(FILES)).toEqual({ outcome: "allow", because: "", open: [] });
  expect(
    await answers({ ...FILES, "catalog-info.yaml": FILES["catalog-info.yaml"].replace("owner: shop", "owner: ghosts") }),
  ).toMatchObject({
    outcome: "deny",
    open: ["owner-exists"],
  });
  const bare = { ...FILES, "score.yaml": FILES["score.yaml"].replace(/, readinessProbe:.*? } }/, "") };
  expect(await answers(bare)).toMatchObject({ outcome: "deny", open: ["health-check-set"] });
  expect(await answers({ ...bare, "cairn.yaml": FILES["cairn.yaml"].replace(", production", "") })).toMatchObject({ outcome: "warn" });
  expect(
    await answers({
      ...FILES,
      "k8s/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: orders }\nspec: { replicas: 40 }\n",
    }),
  ).toMatchObject({ outcome: "deny", open: ["fits-quota", "replicas-bounded"] });
});

test("checkPolicy() judges what says that it matters less by what the catalog says, and what says that it matters more by that", async () => {
  const { "docs/runbook.md": _, ...without } = FILES;
  expect(await answers(without)).toMatchObject({ outcome: "warn", open: ["slo-and-runbook"] });
  expect(await answers(without, { ...bundle, tiers: { parcels: "tier-1" } })).toMatchObject({ outcome: "warn" });
  expect(await answers(without, { ...bundle, tiers: { orders: "tier-1" } })).toMatchObject({
    outcome: "deny",
    open: expect.arrayContaining(["slo-and-runbook"]) as string[],
  });
  const raised = { ...without, "catalog-info.yaml": FILES["catalog-info.yaml"].replace("tier-3", "tier-1") };
  expect(await answers(raised, { ...bundle, tiers: { orders: "tier-3" } })).toMatchObject({ outcome: "deny" });
});

test("checkPolicy() is unknown, never passed, without rules, with another evaluator's, and where the intent can't be read", async () => {
  const folder = await checkout(FILES);
  expect(await checkPolicy(folder, undefined, now)).toMatchObject({
    outcome: "unknown",
    because: expect.stringContaining("cairn policies pull"),
    judgement: null,
  });
  expect(await checkPolicy(folder, { ...bundle, evaluator: "another 1.0" }, now)).toMatchObject({
    outcome: "unknown",
    because: expect.stringContaining("another 1.0"),
  });
  expect(await answers({ ...FILES, "score.yaml": "metadata: [" })).toMatchObject({ outcome: "unknown" });
  expect(await answers({ ...FILES, "k8s/broken.yaml": "kind: [" })).toMatchObject({ outcome: "unknown" });
  expect(await checkPolicy(await checkout({}), bundle, now)).toMatchObject({ outcome: "unknown" });
});

test("readRuleBundle() refuses rules that are not those of their digest, and those that were not asked for", async () => {
  const folder = await checkout({
    "good.json": JSON.stringify(bundle),
    "changed.json": JSON.stringify(bundle).replace('cairn.dev/mode":"enforce', 'cairn.dev/mode":"audit'),
    "broken.json": "{",
    "other.json": "{}",
  });
  expect((await readRuleBundle(join(folder, "good.json"), rules.digest)).digest).toBe(rules.digest);
  await expect(readRuleBundle(join(folder, "changed.json"))).rejects.toMatchObject({ code: "offline.bundle_differs" });
  await expect(readRuleBundle(join(folder, "good.json"), `sha256:${"0".repeat(64)}`)).rejects.toMatchObject({
    code: "offline.bundle_differs",
  });
  for (const name of ["broken.json", "other.json", "missing.json"])
    await expect(readRuleBundle(join(folder, name))).rejects.toMatchObject({ code: "offline.bundle_unreadable" });
});

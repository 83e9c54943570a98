import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planInfra } from "../infra/plan.ts";
import { isFault } from "../kernel/faults.ts";
import { factsAt } from "./check-change.ts";
import { readRepository } from "./read-repository.ts";

const COMPONENT = "kind: Component\nmetadata: { name: orders }\nspec: { owner: team-a, lifecycle: production, type: service }\n";
const SCORE = `apiVersion: score.dev/v1b1
metadata: { name: orders }
service: { ports: { http: { port: 80, targetPort: 8080 } } }
containers: { main: { image: . } }
`;
const CONTRACT = "apiVersion: cairn.dev/v1\nkind: Contract\nci: { test: 'true', include: [src] }\nstart: ./run\n";
const GOOD: Record<string, string> = {
  "catalog-info.yaml": COMPONENT,
  "score.yaml": SCORE,
  "cairn.yaml": CONTRACT,
  "slo.yaml": "kind: SLO\n",
  "observability/alertmanager-route.yaml": "route: { receiver: a }\nreceivers: [{ name: a }]\n",
  "k8s/patch.yaml": "kind: Deployment\nmetadata: { name: orders }\n",
};
const bomb = [
  "a: &a [x, x, x, x, x, x, x, x, x]",
  ..."bcdefghi".split("").map((name, n) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghi"[n]}`).join(", ")}]`),
].join("\n");
const HOSTILE: Record<string, string> = {
  "broken YAML": "a: [",
  "an alias bomb": bomb,
  "an alias of itself": "&a [*a]",
  "flow nested without end": "[".repeat(100_000),
  "blocks nested without end": Array.from({ length: 2000 }, (_, n) => `${" ".repeat(n)}a:`).join("\n"),
  "a text of megabytes": `a: ${"x".repeat(3_000_000)}`,
  "many documents": "--- {}\n".repeat(2000),
  "control characters": "a: \u0000\u0007b\n",
  "a tag that makes things": "!!js/function 'return process'",
  "another kind of value": "- 1\n- 2\n",
  nothing: "",
  null: "null\n",
  "half an entity": "kind: Component\n",
  "labels that are none": "kind: Component\nmetadata: { name: orders, labels: 7, annotations: [x] }\n",
  "a prototype":
    "kind: Deployment\nmetadata: { name: orders }\n__proto__: { polluted: true }\nconstructor: { prototype: { polluted: true } }\n",
};
const readFrom = (files: Record<string, string>) => readRepository(Object.keys(files), async (path) => files[path]);
const target = { service: "orders", environment: "dev", owner: "team-a" };
const free = { currency: "EUR", monthly: {} };

test("a right repository has no problems", async () => {
  expect(await readFrom(GOOD)).toMatchObject({
    problems: [],
    name: "orders",
    owner: "team-a",
    slo: { present: true },
    alertRoute: { present: true },
  });
});

test.each(Object.keys(HOSTILE))("readRepository() and planInfra() name the file that holds %s, and never fail otherwise", async (what) => {
  const required = ["catalog-info.yaml", "score.yaml", "cairn.yaml"];
  for (const path of Object.keys(GOOD)) {
    const facts = await readFrom({ ...GOOD, [path]: HOSTILE[what] ?? "" });
    // What is no descriptor at all may be none of the optional files either, which is then as if it were missing.
    if (required.includes(path)) expect(facts.problems, path).toMatchObject([{ file: path, message: expect.stringMatching(/\w/) }]);
    if (!facts.intent) continue;
    try {
      planInfra(facts.intent, [], { ...target, patches: facts.patches }, free);
    } catch (error) {
      if (!isFault(error)) throw error;
      expect(error).toMatchObject({ code: "infra.patch_invalid", message: expect.stringContaining("k8s/patch.yaml") });
    }
  }
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("a file that can't be read is a problem, not a failure", async () => {
  for (const broken of Object.keys(GOOD)) {
    const facts = await readRepository(Object.keys(GOOD), async (path) => {
      if (path === broken) throw new Error("larger than 8 MiB");
      return GOOD[path];
    });
    expect(facts.problems).toEqual([{ file: broken, message: "larger than 8 MiB" }]);
  }
});

test("whatever stands in the files, reading gives facts and names files", async () => {
  const value = fc.jsonValue({ maxDepth: 4 }).map((one) => JSON.stringify(one));
  const text = fc.oneof(value, fc.string({ maxLength: 200 }), fc.constantFrom(...Object.values(GOOD)));
  await fc.assert(
    fc.asyncProperty(fc.record(Object.fromEntries(Object.keys(GOOD).map((path) => [path, text])), { requiredKeys: [] }), async (files) => {
      const { problems, intent, patches } = await readFrom(files as Record<string, string>);
      for (const { file } of problems) expect(Object.keys(GOOD)).toContain(file);
      if (!intent) return;
      try {
        planInfra(intent, [], { ...target, patches }, free);
      } catch (error) {
        if (!isFault(error)) throw error;
      }
    }),
    { numRuns: 300, seed: 8 },
  );
});

test("factsAt() takes a database that is away for no problem of the files", async () => {
  const readFile = async (_: string, __: string, path: string) => {
    if (path === "score.yaml") throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" });
    return GOOD[path];
  };
  const forge = { listFiles: async () => Object.keys(GOOD).map((path) => ({ path })), readFile };
  await expect(factsAt({ forge } as never, "orders", "main")).rejects.toThrow("ECONNREFUSED");
});

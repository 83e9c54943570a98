import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../scripts/demo/tools.ts";
import { casesFor, send, type OpenApi } from "./hostile.ts";
import { apiOf, type Api, type Plan, type Run } from "./outside.ts";
import { startPlatform, type Platform } from "./platform.ts";

/*
 * Bad input at a whole platform. The parts have tests of their own:
 *
 *   a name that is taken, illegal, or collides when cut     catalog/store.test.ts, catalog/routes.test.ts, infra/plan.test.ts; two creates at once: here
 *   missing, extra and hostile answers                      golden-paths/render.test.ts, golden-paths/http-api.test.ts
 *   templates that escape, loop or render too much          golden-paths/render.test.ts
 *   broken, huge, deep descriptors, YAML bombs              workflows/hostile-repository.test.ts, catalog/store.test.ts
 *   a descriptor that claims another team's name            catalog/store.test.ts (ingest, examine)
 *   pushes: protected, forced, too large, bombs             forge/local/hostile-push.test.ts, forge/local/smart-http.test.ts
 *   a conflicting change request                            forge/local/forge.test.ts, forge/merge-rule.test.ts
 *   a stale plan                                            plans/store.test.ts, workflows/release-plan.test.ts
 *   a full disk                                             forge/local/hostile-push.test.ts, ci/local/full-disk.test.ts, ledger/full-disk.test.ts, secrets/routes.test.ts
 *   bodies: huge, slow, no HTTP                             server/bodies.test.ts
 *   types, unknown fields, invalid UTF-8, hostile ids       here, for every operation
 *   builds that fail, hang, fork or print without end       ci/local/runner.test.ts
 *   services that misbehave, smuggling, slow clients        agent/agent.test.ts, agent/proxy/front.test.ts
 */

/** Requests to each operation, with a token and without. */
const CASES = 8;
const SEED = 20_260_301;

let platform: Platform;
let api: Api;
beforeAll(async () => {
  platform = await startPlatform();
  api = await apiOf(platform);
});
afterAll(() => platform?.stop());

test("no operation fails inside, whatever it is given: each refusal is a problem with a code and what to do next, and tells nothing of the inside", async () => {
  const document = (await (await fetch(`${platform.url}/openapi.json`)).json()) as OpenApi;
  const { token } = await platform.cairn<{ token: string }>("tokens", "create", "hostile", "--scope", "admin");
  const wrong: string[] = [];
  let asked = 0;
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, { operationId }] of Object.entries(operations))
      for (const one of casesFor(document, path, method, CASES, SEED))
        for (const by of [token, undefined]) {
          const { what, status, type, text } = await send(platform.url, method, one.url, one.body, by);
          asked++;
          const problem = status < 400 || isProblem(type, text);
          const inside = /node_modules|at file:|\/platform\/\w+\//.test(text);
          if (status >= 500 || !problem || inside) wrong.push(`${operationId} ${status} ${type}: ${what}\n${text.slice(0, 500)}`);
          if (!by && status < 400 && !["health", "readiness", "metrics"].includes(operationId))
            wrong.push(`${operationId} let a stranger in: ${what}`);
        }
  expect(wrong, `seed ${SEED}`).toEqual([]);
  expect(asked).toBeGreaterThan(1000);
  expect((await fetch(`${platform.url}/readyz`)).status).toBe(200);
  expect(await readFile(join(platform.home, "logs", "server.log"), "utf8")).not.toMatch(/"level":[56]0/);
});

test("of two creates of one name at once one makes the service, the other is told, and nothing is half made", async () => {
  const name = `twin-${randomInt(36 ** 5).toString(36)}`;
  await platform.cairn("org", "create-team", "team-twin");
  const plan = (description: string) =>
    api<Plan>("/api/plans", {
      goldenPath: "http-api",
      answers: { service_name: name, owner_team: "team-twin", description, database: false },
    });
  const plans = await Promise.all(["The first", "The second"].map(plan));
  const applied = await Promise.all(
    plans.map(({ digest }) => api<{ run: string }>(`/api/plans/${digest}/apply`, {}).catch((error: unknown) => String(error))),
  );
  const ended = await Promise.all(
    applied.map(async (one) => {
      if (typeof one === "string") return one;
      const run = await eventually(`the end of ${one.run}`, 120, async () => {
        const now = await api<Run>(`/api/runs/${one.run}`);
        return ["success", "failed", "rolled_back"].includes(now.state) ? now : undefined;
      });
      return run.state === "success" ? "made" : (run.error?.message ?? run.state);
    }),
  );
  expect(ended.filter((one) => one === "made")).toHaveLength(1);
  expect(ended.find((one) => one !== "made")).toMatch(/taken|exists|claim|changed|stale|held/i);
  const { repositories } = await api<{ repositories: { name: string }[] }>("/api/repositories");
  expect(repositories.filter((one) => one.name === name)).toHaveLength(1);
  const { changes } = await api<{ changes: unknown[] }>(`/api/changes?repository=${name}`);
  expect(changes).toHaveLength(1);
});

function isProblem(type: string, text: string): boolean {
  if (!type.startsWith("application/problem+json")) return false;
  const { code, next, detail } = JSON.parse(text) as Record<string, unknown>;
  return [code, next, detail].every((one) => typeof one === "string" && /\w/.test(one));
}

import { expect, test } from "vitest";
import { directory } from "../catalog/views.ts";
import { localForge } from "../forge/local/forge.ts";
import { silentLog } from "../kernel/log.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { surface } from "./surface.ts";

const ADMIN = "an administrator's token of a test";

async function platform() {
  const db = await database();
  const clock = testClock();
  const folder = await mkdtemp(join(tmpdir(), "cairn-surface-"));
  const forge = await localForge({ db, clock, folder, publicUrl: "http://127.0.0.1:1" });
  const unused = {} as never;
  const app = await surface({
    db,
    clock,
    log: silentLog,
    identity: { db, clock, directory: directory(db), adminToken: ADMIN },
    forge,
    checkpoints: { sign: async () => undefined, all: async () => [], verify: async () => expect.fail("not asked") },
    ledgerKey: "",
    evidenceExport: {} as never,
    builderKeys: [],
    mergeGround: { tierOf: async () => "tier-1", needsCodeOwner: () => true, directory: directory(db) },
    planner: unused,
    breakGlass: unused,
    why: unused,
    signingSecrets: unused,
    runtime: unused,
    tellQuarantine: unused,
    deliverer: unused,
    checker: unused,
    goBack: unused,
    incidents: unused,
    secrets: unused,
    infra: unused,
    environmentNames: [],
    environments: [],
    scoreRules: unused,
    policies: unused,
    ciFolder: folder,
    live: unused,
    goldenPaths: folder,
    ready: async () => ({ ready: true, parts: {} }),
    portalFolder: undefined,
  });
  return {
    app,
    close: async () => {
      await app.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test("every operation refuses a caller that it does not know, but those that begin a sign-in or tell health", async () => {
  const { app, close } = await platform();
  try {
    await app.ready();
    const { paths } = app.swagger() as { paths: Record<string, Record<string, { operationId?: string }>> };
    const answered: string[] = [];
    let asked = 0;
    for (const [path, operations] of Object.entries(paths))
      for (const [method, operation] of Object.entries(operations)) {
        const url = path.replaceAll(/\{[^}]+\}/g, "1");
        const { statusCode } = await app.inject({
          method: method.toUpperCase() as "GET",
          url,
          headers: { "content-type": "application/json" },
          ...(method !== "get" && { payload: "{}" }),
        });
        asked++;
        if (statusCode !== 401) answered.push(`${operation.operationId} ${statusCode}`);
      }
    expect(asked).toBeGreaterThan(50);
    expect(answered.toSorted()).toEqual(["health 200", "readiness 200", "redeemLink 422"]);
  } finally {
    await close();
  }
});

test("a refusal is a problem with a stable code and what to do next, whoever gives it", async () => {
  const { app, close } = await platform();
  try {
    const ask = (method: "GET" | "POST", url: string, payload?: string) =>
      app.inject({
        method,
        url,
        headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
        ...(payload !== undefined && { payload }),
      });
    const answers = await Promise.all([
      ask("GET", "/api/nothing-here"),
      ask("GET", "/api/plans/not-a-digest"),
      ask("GET", `/api/plans/sha256:${"0".repeat(64)}`),
      ask("POST", "/api/plans", "{ not json"),
      ask("POST", "/api/plans", '{"goldenPath": 1}'),
      ask("POST", "/services", `{"name": "${"x".repeat(6_000_000)}"}`),
    ]);
    expect(answers.map((answer) => [answer.statusCode, answer.json<{ code: string }>().code])).toEqual([
      [404, "http.not_found"],
      [422, "http.invalid"],
      [404, "plans.missing"],
      [400, "http.fst_err_ctp_invalid_json_body"],
      [422, "http.invalid"],
      [413, "http.fst_err_ctp_body_too_large"],
    ]);
    for (const answer of answers) {
      expect(answer.headers["content-type"]).toContain("application/problem+json");
      expect(answer.json()).toMatchObject({
        status: answer.statusCode,
        next: expect.stringMatching(/\w/),
        detail: expect.stringMatching(/\w/),
      });
    }
  } finally {
    await close();
  }
});

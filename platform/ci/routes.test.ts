import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { expect, onTestFinished, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { ciRoutes } from "./routes.ts";
import { end, enqueue, pendingStages } from "./store.ts";

test("the routes list runs, show one, and let its log be followed to the end", async () => {
  const db = await database();
  const clock = testClock();
  const folder = await mkdtemp(join(tmpdir(), "cairn-ci-routes-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  const asked: string[] = [];
  app.decorateRequest("can", async (action: string) => void asked.push(action));
  await app.register(ciRoutes({ db, folder }), { prefix: "/api" });
  const get = async (path: string) => (await app.inject({ url: `/api${path}` })).json();

  for (const [id, commit] of [
    ["one", "a"],
    ["two", "b"],
  ] as const) {
    await enqueue(db, clock, { id, repository: "orders", commit, purpose: "merge" });
    clock.turn(1);
  }
  expect((await get("/ci-runs?repository=orders")).runs).toMatchObject([{ id: "two" }, { id: "one", state: "queued", endedAt: null }]);
  expect((await get("/ci-runs?commit=a")).runs).toMatchObject([{ id: "one" }]);
  expect(await get("/ci-runs/three")).toMatchObject({ status: 404, code: "ci.run_missing" });
  expect(await get("/ci-runs/three/log")).toMatchObject({ status: 404, code: "ci.run_missing" });
  expect(await get("/ci-runs/one/log?from=-1")).toMatchObject({ status: 422 });

  expect(await get("/ci-runs/one/log")).toEqual({ text: "", next: 0, done: false });
  await mkdir(join(folder, "logs"));
  await writeFile(join(folder, "logs", "one.log"), "building\n");
  expect(await get("/ci-runs/one/log")).toEqual({ text: "building\n", next: 9, done: false });
  await transact(db, (tx) =>
    end(tx, clock, "one", { state: "failed", because: "build failed", stages: pendingStages(), tests: null, artifact: null, evidence: [] }),
  );
  expect(await get("/ci-runs/one/log?from=9")).toEqual({ text: "", next: 9, done: true });
  expect(await get("/ci-runs/one")).toMatchObject({ state: "failed", because: "build failed", endedAt: "2026-03-01T12:00:02.000Z" });
  expect(new Set(asked)).toEqual(new Set(["read"]));
});

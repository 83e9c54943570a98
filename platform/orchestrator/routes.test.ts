import Fastify from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterAll, expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { answerFaults } from "../server/problems.ts";
import { database } from "../testing/database.ts";
import { toText } from "./durable.ts";
import { orchestratorRoutes } from "./routes.ts";
import { addRun, changeRun } from "./store.ts";

test("/runs and /runs/{id} refuse what is not there and ask for leave; else they give runs and steps", async () => {
  const db = await database();
  const at = new Date("2026-03-01T12:00:00Z");
  const asked: string[] = [];
  const app = Fastify();
  afterAll(() => app.close());
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async (action: string) => void asked.push(action));
  await app.register(orchestratorRoutes({ db }));
  await transact(db, (tx) =>
    addRun(tx, {
      id: "r/1",
      workflow: "greet",
      about: "component:default/orders",
      startedBy: "user:default/ada",
      parent: null,
      input: toText({}),
      outline: ["a"],
      at,
    }),
  );
  await changeRun(db, "r/1", { state: "success", output: toText({ at, none: undefined }), endedAt: at, at });

  expect((await app.inject("/runs/nothing")).json()).toMatchObject({ status: 404, code: "orchestrator.run_unknown" });
  expect((await app.inject("/runs?state=lost")).statusCode).toBe(422);
  expect((await app.inject("/runs?limit=0")).statusCode).toBe(422);
  const { runs } = (await app.inject("/runs?about=component:default/orders&state=success")).json<{ runs: unknown[] }>();
  expect(runs).toMatchObject([{ id: "r/1", output: { at: at.toISOString() }, createdAt: at.toISOString(), error: null }]);
  expect((await app.inject("/runs?except=component:default/orders")).json()).toEqual({ runs: [] });
  expect((await app.inject(`/runs/${encodeURIComponent("r/1")}`)).json()).toMatchObject({
    id: "r/1",
    steps: [{ name: "a", state: "pending", startedAt: null }],
  });
  expect(asked).toEqual(["read", "read", "read", "read"]);
});

import { afterEach, expect, test } from "vitest";
import { systemClock } from "../kernel/clock.ts";
import { Fault } from "../kernel/faults.ts";
import { createLog, silentLog } from "../kernel/log.ts";
import { testDatabase } from "../testing/database.ts";
import { workflow, type Orchestrator } from "./contract.ts";
import { startOrchestrator, type AnyWorkflow } from "./orchestrator.ts";
import { run } from "./store.ts";

let orchestrator: Orchestrator | undefined;
afterEach(async () => {
  await orchestrator?.close();
  orchestrator = undefined;
});

async function started(...workflows: AnyWorkflow<null>[]) {
  const { db, url } = await testDatabase();
  const log = process.env.CAIRN_LOG ? createLog("test") : silentLog;
  orchestrator = await startOrchestrator({ databaseUrl: url, db, clock: systemClock, log, workflows, parts: null, retrySeconds: 0.01 });
  return { db, url, orchestrator };
}
const of = { about: "component:default/orders", startedBy: "user:default/ada" };

const greet = workflow(
  "greet",
  () => ["think", "say", "never"],
  async (run, input: { name: string }) => {
    const thought = await run.step("think", async (step) => {
      await step.tell("hm");
      return { at: new Date(0), text: `hello ${input.name}` };
    });
    await run.pause(0.01);
    const said = await run.step("say", async () => `${thought.text} ${thought.at.getTime()}`);
    return { said, at: await run.now() };
  },
);

test("start() runs a workflow to its output and shows its outline", async () => {
  const { db, orchestrator } = await started(greet);
  await orchestrator.start(greet, { name: "ada" }, { id: "one", ...of });
  await orchestrator.start(greet, { name: "ada" }, { id: "one", ...of });
  const output = await orchestrator.result<{ said: string; at: Date }>("one");
  expect(output).toEqual({ said: "hello ada 0", at: expect.any(Date) });
  const shown = await run(db, "one");
  expect(shown).toMatchObject({ state: "success", workflow: "greet", ...of, error: null, output });
  expect(shown.steps).toMatchObject([
    { name: "think", state: "success", detail: "hm", attempts: 1, rounds: 1 },
    { name: "say", state: "success" },
    { name: "never", state: "pending", attempts: 0, startedAt: null },
  ]);
});

test("a failing step rolls back what finished, in reverse, and the fault survives", async () => {
  const undone: string[] = [];
  const build = workflow(
    "build",
    () => ["a", "b", "c"],
    async (run) => {
      await run.step("a", async () => 1, { rollback: async (n) => void undone.push(`a${n}`) });
      await run.step("b", async () => 2, { rollback: async () => Promise.reject(new Error("stuck")) });
      await run.step("c", async () => 3, { rollback: async (n) => void undone.push(`c${n}`) });
      await run.step("d", async () => Promise.reject(new Fault("precondition", "test.no", "No", "Ask again.", { line: 3 })));
    },
  );
  const { db, orchestrator } = await started(build);
  await orchestrator.start(build, null, { id: "two", ...of });
  await expect(orchestrator.result("two")).rejects.toMatchObject({
    kind: "precondition",
    code: "test.no",
    message: "No",
    next: "Ask again.",
    facts: { line: 3 },
  });
  expect(undone).toEqual(["c3", "a1"]);
  const shown = await run(db, "two");
  expect(shown.state).toBe("failed");
  expect(shown.steps.map((step) => [step.name, step.state])).toEqual([
    ["a", "rolled_back"],
    ["b", "failed"],
    ["c", "rolled_back"],
    ["d", "failed"],
  ]);
});

test("a child is a run of its own, a wait shows for whom, a transaction writes its rows", async () => {
  const small = workflow(
    "small",
    () => ["inner"],
    async (run, n: number) => run.step("inner", async () => n + 1),
  );
  const big = workflow(
    "big",
    () => ["delegate", "approval", "note"],
    async (run) => {
      const two = await run.child("delegate", small, 1);
      const approval = await run.waitFor<{ by: string }>("approval", { topic: "approval", waitsFor: "team-pay" });
      await run.transaction("note", async (tx) => {
        await tx
          .insertInto("workflow_executor")
          .values({ id: `noted-${run.id}`, beat: new Date() } as never)
          .execute();
      });
      return { two, approval };
    },
  );
  const { db, orchestrator } = await started(small, big);
  await orchestrator.start(big, null, { id: "three", ...of });
  await expect
    .poll(() => run(db, "three"), { timeout: 10_000 })
    .toMatchObject({
      state: "waiting",
      currentStep: "approval",
      steps: [{ childRun: "three/delegate" }, { state: "waiting", waitsFor: "team-pay" }, {}],
    });
  await orchestrator.send("three", "approval", { by: "ada" });
  expect(await orchestrator.result("three")).toEqual({ two: 2, approval: { by: "ada" } });
  expect(await run(db, "three/delegate")).toMatchObject({ parent: "three", state: "success" });
  expect(await db.selectFrom("workflow_executor").where("id", "=", "noted-three").selectAll().execute()).toHaveLength(1);
});

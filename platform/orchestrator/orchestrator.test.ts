import * as fc from "fast-check";
import { sql } from "kysely";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../kernel/clock.ts";
import { Fault } from "../kernel/faults.ts";
import { createLog, silentLog } from "../kernel/log.ts";
import { openDatabase, transact } from "../kernel/sql.ts";
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

test("a step that fails is rolled back itself, first of all; one that is to stay is kept, a transaction leaves nothing", async () => {
  const undone: unknown[] = [];
  const make = (how: string) =>
    workflow(
      how,
      () => ["lasting", "made", "half"],
      async (run) => {
        await run.step("lasting", async () => 1, { rollback: async () => "kept" });
        await run.step("made", async () => 2, { rollback: async (n) => void undone.push(n) });
        if (how === "by transaction")
          await run.transaction("half", async () => Promise.reject(new Error("no")), {
            rollback: async () => void undone.push("must not be undone"),
          });
        await run.step("half", async () => Promise.reject(new Error("no")), {
          rollback: async (n) => void undone.push(n ?? "half"),
        });
      },
    );
  const workflows = ["by step", "by transaction"].map(make);
  const { db, orchestrator } = await started(...workflows);
  for (const one of workflows) {
    await orchestrator.start(one, null, { id: one.name, ...of });
    await expect(orchestrator.result(one.name)).rejects.toMatchObject({ message: expect.stringContaining("no") });
    expect(undone.splice(0)).toEqual(one.name === "by step" ? ["half", 2] : [2]);
    const { state, steps } = await run(db, one.name);
    expect(state).toBe("rolled_back");
    expect(steps.map((step) => step.state)).toEqual(["success", "rolled_back", "failed"]);
    expect(steps[2]?.detail).toMatch(one.name === "by step" ? /no.* What it had done was undone\./ : /no/);
  }
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

const failing = () => Promise.reject(new Fault("failed", "test.no", "No", "Nothing."));

test("what is unavailable is tried again, up to the attempts; anything else is not", async () => {
  const calls = { comesBack: 0, stays: 0, fails: 0 };
  const away = () => new Fault("unavailable", "test.away", "Away", "Wait.");
  const stubborn = workflow(
    "stubborn",
    () => [],
    async (run, which: keyof typeof calls) =>
      run.step("ask", async (step) => {
        calls[which]++;
        if (which === "fails") return failing();
        if (which === "stays" || step.attempt < 3) throw away();
        return step.attempt;
      }),
  );
  const { db, orchestrator } = await started(stubborn);
  for (const which of ["comesBack", "stays", "fails"] as const) await orchestrator.start(stubborn, which, { id: which, ...of });
  expect(await orchestrator.result("comesBack")).toBe(3);
  await expect(orchestrator.result("stays")).rejects.toMatchObject({ code: "test.away", kind: "unavailable" });
  await expect(orchestrator.result("fails")).rejects.toMatchObject({ code: "test.no" });
  expect(calls).toEqual({ comesBack: 3, stays: 3, fails: 1 });
  expect((await run(db, "stays")).steps).toMatchObject([{ name: "ask", state: "failed", detail: "Away", attempts: 3 }]);
});

test("after commit() a step is tried again whatever failed, nothing is undone, and cancel() is refused", async () => {
  const undone: string[] = [];
  let calls = 0;
  const promote = workflow(
    "promote",
    () => ["shift", "note", "tell"],
    async (run) => {
      await run.step("shift", async () => 1, { rollback: async () => void undone.push("shift") });
      await run.commit();
      await run.transaction("note", async () => (++calls < 3 ? failing() : undefined));
      await run.step("tell", failing, { attempts: 2, rollback: async () => void undone.push("tell") });
    },
  );
  const { db, orchestrator } = await started(promote);
  await orchestrator.start(promote, null, { id: "p", ...of });
  await expect(orchestrator.result("p")).rejects.toMatchObject({ code: "test.no" });
  expect({ calls, undone }).toEqual({ calls: 3, undone: [] });
  expect(await run(db, "p")).toMatchObject({
    state: "failed",
    steps: [{ state: "success" }, { state: "success", rounds: 1 }, { state: "failed", attempts: 2 }],
  });
  await expect(orchestrator.cancel("p", "late", "user:default/ada")).rejects.toMatchObject({ code: "orchestrator.run_ended" });
});

test("cancel() stops a run at its next step, and in a wait, a pause and a child; all rolls back", async () => {
  const undone: string[] = [];
  const undo = (name: string) => ({ rollback: async () => void undone.push(name) });
  const sleeper = workflow(
    "sleeper",
    () => ["inner", "wait"],
    async (run, how: string) => {
      await run.step("inner", async () => 1, undo(`inner of ${how}`));
      if (how === "pause") await run.pause(3600);
      else await run.waitFor("wait", { topic: "t", waitsFor: "nobody" });
      await run.step("after", async () => void undone.push("must not run"));
    },
  );
  const outer = workflow(
    "outer",
    () => ["first", "nested"],
    async (run, how: string) => {
      await run.step("first", async () => 1, undo(`first of ${how}`));
      await run.child("nested", sleeper, how, undo("not finished, so not undone"));
    },
  );
  const { db, orchestrator } = await started(sleeper, outer);
  for (const how of ["pause", "wait"]) {
    await orchestrator.start(outer, how, { id: how, ...of });
    await expect
      .poll(() => run(db, `${how}/nested`).catch(() => undefined), { timeout: 10_000 })
      .toMatchObject({ steps: [{ state: "success" }, { state: how === "wait" ? "waiting" : "pending" }] });
    await orchestrator.cancel(how, "the button was wrong", "user:default/ada");
    await expect(orchestrator.result(how)).rejects.toMatchObject({
      code: "orchestrator.cancelled",
      message: "Cancelled by user:default/ada: the button was wrong",
    });
    expect(undone.splice(0)).toEqual([`inner of ${how}`, `first of ${how}`]);
    expect(await run(db, how)).toMatchObject({ state: "rolled_back", cancelled: { by: "user:default/ada" } });
    expect(await run(db, `${how}/nested`)).toMatchObject({ state: "rolled_back" });
  }
  await expect(orchestrator.cancel("nothing", "", "")).rejects.toMatchObject({ code: "orchestrator.run_unknown" });
});

test("cancel() reaches the step that is under way, and what it had begun is undone", async () => {
  const told: unknown[] = [];
  const builder = workflow(
    "builder",
    () => ["build", "after"],
    async (run) => {
      await run.step(
        "build",
        (step) => new Promise((_, reject) => step.signal.addEventListener("abort", () => reject(step.signal.reason as Error))),
        { rollback: async () => void told.push("undone") },
      );
      await run.step("after", async () => void told.push("must not run"));
    },
  );
  const { db, orchestrator } = await started(builder);
  await orchestrator.start(builder, null, { id: "c", ...of });
  await expect.poll(() => run(db, "c").catch(() => undefined)).toMatchObject({ steps: [{ state: "running" }, { state: "pending" }] });
  await orchestrator.cancel("c", "the wrong commit", "user:default/ada");
  await expect(orchestrator.result("c")).rejects.toMatchObject({ code: "orchestrator.cancelled" });
  expect(told).toEqual(["undone"]);
  expect(await run(db, "c")).toMatchObject({ state: "rolled_back", steps: [{ state: "failed" }, { state: "pending" }] });
});

test("a step that runs out of time hears it, is left, and fails", async () => {
  let heard: unknown;
  const slow = workflow(
    "slow",
    () => [],
    async (run) =>
      run.step(
        "wait for ever",
        (step) => new Promise((_, reject) => step.signal.addEventListener("abort", () => reject((heard = step.signal.reason)))),
        { timeoutSeconds: 0.05 },
      ),
  );
  const { orchestrator } = await started(slow);
  await orchestrator.start(slow, null, { id: "s", ...of });
  await expect(orchestrator.result("s")).rejects.toMatchObject({ code: "orchestrator.step_timed_out" });
  expect(heard).toMatchObject({ code: "orchestrator.step_timed_out" });
});

test("a wait ends at its time limit without a message", async () => {
  const patient = workflow(
    "patient",
    () => ["word"],
    async (run) => ({ word: (await run.waitFor("word", { topic: "t", waitsFor: "a word", timeoutSeconds: 0.1 })) ?? "none" }),
  );
  const { orchestrator } = await started(patient);
  await orchestrator.start(patient, null, { id: "w", ...of });
  expect(await orchestrator.result("w")).toEqual({ word: "none" });
});

test("start() in a transaction begins the run when it commits, and never when it doesn't", async () => {
  const { db, orchestrator } = await started(greet);
  const begin = (id: string, fail: boolean) =>
    transact(db, async (tx) => {
      await orchestrator.start(greet, { name: "ada" }, { id, ...of, tx });
      if (fail) throw new Error("no");
    });
  await expect(begin("never", true)).rejects.toThrow("no");
  await begin("later", false);
  expect(await orchestrator.result("later")).toMatchObject({ said: "hello ada 0" });
  await expect(orchestrator.result("never")).rejects.toMatchObject({ code: "orchestrator.run_unknown" });
  const other = workflow(
    "other",
    () => [],
    async () => null,
  );
  await expect(orchestrator.start(other, null, { id: "later", ...of })).rejects.toMatchObject({ code: "orchestrator.workflow_unknown" });
});

test("a run refuses steps at once and results that can't be kept, and says so", async () => {
  const both = workflow(
    "both",
    () => [],
    async (run) => Promise.all([run.step("a", async () => 1), run.step("b", async () => 2)]),
  );
  const odd = workflow(
    "odd",
    () => [],
    async (run) =>
      run.transaction("count", async (tx) =>
        tx
          .insertInto("workflow_executor")
          .values({ id: "odd", beat: new Date() } as never)
          .execute(),
      ),
  );
  const { db, orchestrator } = await started(both, odd);
  await orchestrator.start(both, null, { id: "both", ...of });
  await orchestrator.start(odd, null, { id: "odd", ...of });
  await expect(orchestrator.result("both")).rejects.toMatchObject({ code: "orchestrator.steps_overlap" });
  await expect(orchestrator.result("odd")).rejects.toMatchObject({ code: "orchestrator.result_not_data" });
  expect(await db.selectFrom("workflow_executor").where("id", "=", "odd").selectAll().execute()).toEqual([]);
});

test("close() lets a step finish; the next orchestrator goes on after it, and ends a run whose workflow was changed", async () => {
  const { db, url } = await testDatabase();
  const entered = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  const told: string[] = [];
  const begin = async (named: (id: string) => string) => {
    const two = workflow(
      "two",
      () => ["first", "second"],
      async (run) => {
        await run.step(named(run.id), async () => {
          told.push(`first of ${run.id}`);
          entered.resolve();
          await open.promise;
        });
        await run.step("second", async () => void told.push(`second of ${run.id}`), {
          rollback: async () => void told.push("must not be undone"),
        });
      },
    );
    return {
      two,
      orchestrator: await startOrchestrator({ databaseUrl: url, db, clock: systemClock, log: silentLog, workflows: [two], parts: null }),
    };
  };
  const before = await begin(() => "first");
  for (const id of ["same", "changed"]) await before.orchestrator.start(before.two, null, { id, ...of });
  await entered.promise;
  await expect.poll(() => told, { timeout: 10_000 }).toHaveLength(2);
  const closing = before.orchestrator.close();
  open.resolve();
  await closing;
  expect(await run(db, "same")).toMatchObject({ state: "running", steps: [{ state: "success" }, { state: "pending" }] });
  await expect(before.orchestrator.start(before.two, null, { id: "late", ...of })).rejects.toMatchObject({ code: "orchestrator.stopping" });

  const after = await begin((id) => (id === "changed" ? "renamed" : "first"));
  orchestrator = after.orchestrator;
  await after.orchestrator.result("same");
  await expect(after.orchestrator.result("changed")).rejects.toMatchObject({ code: "orchestrator.workflow_changed" });
  expect(told.toSorted()).toEqual(["first of changed", "first of same", "second of same"]);
});

test("checkpoints are deleted a week after a run ended; the run stays, and stays ended, unless it was about the platform itself", async () => {
  const { db, url, orchestrator: first } = await started(greet);
  for (const id of ["old", "young"]) {
    await first.start(greet, { name: "ada" }, { id, ...of });
    await first.result(id);
  }
  for (const id of ["own-old", "own-young"]) {
    await first.start(greet, { name: "ada" }, { id, ...of, about: "platform:greetings" });
    await first.result(id);
  }
  await first.close();
  await sql`update dbos.workflow_status set updated_at = updated_at - 8 * 86400000::bigint where workflow_uuid like '%old'`.execute(db);
  await sql`update workflow_run set ended_at = ended_at - interval '8 days' where id like '%old'`.execute(db);
  orchestrator = await startOrchestrator({ databaseUrl: url, db, clock: systemClock, log: silentLog, workflows: [greet], parts: null });
  const kept = async () =>
    (await sql<{ id: string }>`select distinct workflow_uuid as id from dbos.operation_outputs order by id`.execute(db)).rows.map(
      (row) => row.id,
    );
  await expect.poll(kept, { timeout: 10_000 }).toEqual(["own-young", "young"]);
  await expect.poll(() => run(db, "own-old").catch(() => "gone")).toBe("gone");
  await run(db, "own-young");
  const before = await run(db, "old");
  await orchestrator.start(greet, { name: "ada" }, { id: "old", ...of });
  expect(await orchestrator.result("old")).toMatchObject({ said: "hello ada 0" });
  expect(await run(db, "old")).toEqual(before);
});

test("cancel() is refused between commit() and the end", async () => {
  const open = Promise.withResolvers<void>();
  const promote = workflow(
    "promote",
    () => ["note"],
    async (run) => {
      await run.commit();
      await run.step("note", () => open.promise);
    },
  );
  const { db, orchestrator } = await started(promote);
  await orchestrator.start(promote, null, { id: "p", ...of });
  await expect.poll(() => run(db, "p"), { timeout: 10_000 }).toMatchObject({ currentStep: "note" });
  await expect(orchestrator.cancel("p", "late", "user:default/ada")).rejects.toMatchObject({ code: "orchestrator.past_return" });
  open.resolve();
  await orchestrator.result("p");
});

test("runs go on when the database hangs up on every connection, again and again", async () => {
  const chain = workflow(
    "chain",
    () => ["count", "write"],
    async (run) => {
      for (let n = 0; n < 30; n++) {
        await run.step("count", async (step) => step.key);
        await run.transaction("write", async (tx) => void (await sql`insert into written (run, n) values (${run.id}, ${n})`.execute(tx)));
      }
    },
  );
  const { db, url, orchestrator } = await started(chain);
  const admin = openDatabase(url.replace(/\/test_\w+\?/, "/postgres?"), { maxConnections: 1 });
  await sql`create table written (run text, n integer)`.execute(db);
  const ids = ["a", "b", "c"];
  for (const id of ids) await orchestrator.start(chain, null, { id, ...of });
  const written = async () => (await sql<{ run: string; n: number }>`select run, n from written order by run, n`.execute(db)).rows;
  for (const count of [10, 30, 50]) {
    await expect.poll(async () => (await written()).length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${new URL(url).pathname.slice(1)}`.execute(admin);
    await expect.poll(() => written().catch(() => []), { timeout: 10_000 }).not.toEqual([]); // the test's own pool has lost its connections too
  }
  await admin.destroy();
  for (const id of ids) await orchestrator.result(id);
  expect(await written()).toEqual(ids.flatMap((one) => Array.from({ length: 30 }, (_, n) => ({ run: one, n }))));
});

test("finished steps roll back in the reverse of their order, whatever failed where", { timeout: 120_000 }, async () => {
  type Plan = { kind: "step" | "transaction" | "child"; undo: "none" | "works" | "fails" }[];
  const undone: string[] = [];
  const leaf = workflow(
    "leaf",
    () => [],
    async (run, n: number) => run.step("leaf", async () => n),
  );
  const any = workflow(
    "any",
    (plan: Plan) => plan.map((_, n) => `s${n}`),
    async (run, plan: Plan) => {
      for (const [n, { kind, undo }] of plan.entries()) {
        const rollback = async () => {
          undone.push(`${run.id} s${n}`);
          if (undo === "fails") throw new Error("stuck");
        };
        const options = undo === "none" ? {} : { rollback };
        if (kind === "step") await run.step(`s${n}`, async () => n, options);
        if (kind === "transaction") await run.transaction(`s${n}`, async () => n, options);
        if (kind === "child") await run.child(`s${n}`, leaf, n, options);
      }
      await run.step("end", failing);
    },
  );
  const { db, orchestrator } = await started(leaf, any);
  let id = 0;
  const plans = fc.array(
    fc.record({ kind: fc.constantFrom("step", "transaction", "child"), undo: fc.constantFrom("none", "works", "fails") }),
    { maxLength: 6 },
  ) as fc.Arbitrary<Plan>;
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const name = `any${id++}`;
      await orchestrator.start(any, plan, { id: name, ...of });
      await expect(orchestrator.result(name)).rejects.toMatchObject({ code: "test.no" });
      const expected = plan.flatMap(({ undo }, n) => (undo === "none" ? [] : [`${name} s${n}`])).reverse();
      expect(undone.splice(0)).toEqual(expected);
      const shown = await run(db, name);
      expect(shown.state).toBe(expected.length > 0 && plan.every(({ undo }) => undo !== "fails") ? "rolled_back" : "failed");
      expect(shown.steps.map((step) => step.state)).toEqual([
        ...plan.map(({ undo }) => ({ none: "success", works: "rolled_back", fails: "failed" })[undo]),
        "failed",
      ]);
    }),
    { numRuns: 15 },
  );
});

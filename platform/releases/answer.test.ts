import { expect, test } from "vitest";
import { transact } from "../kernel/sql.ts";
import { events } from "../ledger/store.ts";
import { testClock } from "../testing/clock.ts";
import { database } from "../testing/database.ts";
import { aReading, aRollout, canaryArm } from "./a-rollout.ts";
import { answeredMove, type Answer, type Move } from "./next-move.ts";
import { roundOf } from "./rollout.ts";
import { answerRelease, beginRelease, lastAnswer, noteRound, planRelease } from "./store.ts";

const clock = testClock();
const owner = "user:default/example";
const said = (over: Partial<Answer> = {}): Answer => ({
  action: "go_on",
  because: "the errors are the monitor's",
  by: owner,
  percent: 10,
  ...over,
});
const held: Move = { kind: "hold", because: "unknown" };
const wait: Move = { kind: "wait", until: "2026-03-01T12:10:00.000Z", because: "more requests are needed" };
const back: Move = { kind: "rollBack", because: "worse" };
const position = { ...aRollout(), percent: 10, stepsPercent: [10, 50, 100] };

test.each<[string, Move, Answer | null, Move["kind"]]>([
  ["nothing was said", held, null, "hold"],
  ["going on says nothing to a release that waits", wait, said(), "wait"],
  ["going on was said in another step", held, said({ percent: 50 }), "hold"],
  ["going on does not stand against evidence", back, said(), "rollBack"],
  ["going on takes a held release to its next step", held, said(), "shift"],
  ["rolling back ends a release that waits", wait, said({ action: "roll_back" }), "rollBack"],
  ["rolling back ends a held release", held, said({ action: "roll_back", percent: 50 }), "rollBack"],
])("answeredMove(): %s", (_what, move, answer, kind) => {
  const answered = answeredMove(position, move, answer);
  expect(answered.kind).toBe(kind);
  if (answered !== move) expect(answered.because).toContain(owner);
});

test("answerRelease() refuses to let go on what is not held, and keeps what was said with who said it", async () => {
  const db = await database();
  const rules = aRollout().rules;
  const { id } = await transact(db, (tx) =>
    planRelease(tx, clock, owner, {
      service: "orders",
      environment: "production",
      commit: "a".repeat(40),
      artifactDigest: canaryArm.artifactDigest,
      revision: canaryArm.revision,
      plan: `sha256:${"1".repeat(64)}`,
      stepsPercent: [10, 50, 100],
    }),
  );
  const answer = (action: Answer["action"]) =>
    transact(db, (tx) => answerRelease(tx, clock, owner, id, { action, because: "seen enough" }));
  await expect(answer("roll_back")).rejects.toMatchObject({ code: "releases.not_under_way" });
  await transact(db, (tx) => beginRelease(tx, clock, owner, id, { decision: "dec_1", rules }));
  await expect(answer("go_on")).rejects.toMatchObject({ code: "releases.not_held" });
  const { round } = roundOf(aRollout(), { readings: [aReading(canaryArm, { requests: 5 })], smoke: null }, clock.now());
  await transact(db, (tx) => noteRound(tx, clock, owner, id, round, held));
  await answer("go_on");
  await answer("roll_back");
  expect(await lastAnswer(db, id)).toMatchObject({ action: "roll_back", by: owner, because: "seen enough" });
  expect((await events(db, { types: ["releases.answered"] })).map(({ actor }) => actor)).toEqual([owner, owner]);
});

import { request } from "undici";
import { isFault, messageOf } from "../kernel/faults.ts";
import { transact } from "../kernel/sql.ts";
import { read } from "../ledger/store.ts";
import { workflow } from "../orchestrator/contract.ts";
import type { Answer, Move } from "../releases/next-move.ts";
import { enterStep, roundOf, startRollout, type Observed, type Rollout } from "../releases/rollout.ts";
import type { Round } from "../releases/model.ts";
import { quarantined } from "../releases/quarantine.ts";
import { currentRelease, endRelease, find, lastAnswer, noteRound, underWay } from "../releases/store.ts";
import type { Reading } from "../runtime/contract.ts";
import { admit } from "./admit.ts";
import { agreeOnQuarantine } from "./look-at-runtime.ts";
import type { Parts } from "./parts.ts";
import type { ReleasePlan } from "./release-plan.ts";

export interface RolledOut {
  kind: "promoted" | "rolled_back";
  because: string;
}

/** How often a rollout looks. A block of the canary's mathematics is what happened in between. */
const ROUND_SECONDS = 1;

/**
 * Shifts traffic to a new revision step by step, or back, until one of the two has it all. Observe, decide, carry out: each a step of its own, so that a
 * crash between two of them loses no evidence and moves nothing twice.
 */
export const rollOut = workflow(
  "roll out",
  () => ["start the revision", "observe", "decide", "carry out", "end"],
  async (run, { release: id }: { release: string }, parts: Parts): Promise<RolledOut> => {
    const begun = await run.step("start the revision", () => start(parts, id), { rollback: () => giveUp(parts, run.startedBy, id) });
    if ("serves" in begun) return end({ kind: "promoted", because: "it serves already, with this configuration" }, false);
    if ("failed" in begun) return end({ kind: "rolled_back", because: begun.failed }, false);

    let rollout: Rollout = begun.rollout;
    for (;;) {
      const before = rollout;
      const seen = await run.step("observe", () => observe(parts, id, before));
      const { round, move, rollout: judged } = await run.step("decide", async () => decide(before, seen));
      rollout = await run.step("carry out", async (step) => {
        await step.tell(`${judged.percent} %: ${round.move}`);
        return carryOut(parts, run.startedBy, id, judged, round, move);
      });
      if (move.kind === "promote") return end({ kind: "promoted", because: move.because }, false);
      // What was shown to be worse is not tried again; what could not be judged may be.
      if (move.kind === "rollBack")
        return end({ kind: "rolled_back", because: move.because }, round.verdict.kind === "worse" && judged.judgedBy !== "smoke");
      await run.pause(ROUND_SECONDS);
    }

    async function end(ended: RolledOut, quarantine: boolean): Promise<RolledOut> {
      await run.step("end", () => finish(parts, run.startedBy, id, ended, quarantine));
      return ended;
    }
  },
);

const planOf = async ({ db }: Parts, id: string): Promise<ReleasePlan> =>
  read<ReleasePlan>(db, (await find(db, id)).plan as `sha256:${string}`);

/** Starts the revision beside what serves, at no traffic. A revision that never gets healthy ends the rollout before it began. */
async function start(parts: Parts, id: string): Promise<{ rollout: Rollout } | { failed: string } | { serves: true }> {
  const { runtime, clock } = parts;
  const { target, revision, baseline, rules, alreadyServes } = (await planOf(parts, id)).payload;
  if (alreadyServes) return { serves: true };
  await runtime.ensureTarget(target);
  try {
    await runtime.deploy(await admit(parts, revision));
  } catch (error) {
    if (!isFault(error) || error.kind === "unavailable") throw error;
    return { failed: error.message };
  }
  const { readings } = await runtime.observe(target);
  return {
    rollout: startRollout(
      rules,
      { canary: { revision: revision.id, artifactDigest: revision.artifact.digest }, baseline },
      readings,
      clock.now(),
    ),
  };
}

/** As a checkpoint keeps it: instants are text. */
interface Seen {
  at: string;
  readings: (Omit<Reading, "startedAt"> & { startedAt: string })[] | null;
  smoke: Observed["smoke"];
  answer: Answer | null;
}

/** What can be seen of the rollout now. A runtime that does not answer makes it unknown; it ends nothing. */
async function observe(parts: Parts, id: string, rollout: Rollout): Promise<Seen> {
  const { runtime, clock, db } = parts;
  const { target, smokePath } = (await planOf(parts, id)).payload;
  const seen = await runtime.observe(target).catch(() => undefined);
  const at = clock.now().toISOString();
  const answer = (await barredMeanwhile(parts, target.service, rollout)) ?? (await lastAnswer(db, id));
  if (!seen) return { at, readings: null, smoke: null, answer };
  return {
    at,
    answer,
    readings: seen.readings.map((reading) => ({ ...reading, startedAt: reading.startedAt.toISOString() })),
    smoke:
      rollout.judgedBy === "smoke" && rollout.percent === 100
        ? await smokeTest(new URL(smokePath, seen.url), rollout.canary.artifactDigest)
        : null,
  };
}

/** An artifact that was quarantined while it rolls out goes back, as if its owner had said so. */
async function barredMeanwhile({ db }: Parts, service: string, { canary, percent }: Rollout): Promise<Answer | null> {
  const barred = await quarantined(db, service, canary.artifactDigest);
  return barred ? { action: "roll_back", because: `it was quarantined: ${barred.because}`, by: barred.by, percent } : null;
}

/** One request through the proxy, as a caller would make it: it must be answered, and by the new artifact. */
async function smokeTest(url: URL, artifactDigest: string): Promise<{ passed: boolean; detail: string }> {
  try {
    const { statusCode, headers, body } = await request(url, { headersTimeout: 5000, bodyTimeout: 5000 });
    await body.dump({ limit: 1024 * 1024 });
    const served = headers["x-cairn-digest"];
    const detail = `GET ${url.pathname} answered ${statusCode}${served === artifactDigest ? "" : ` from ${String(served)}`}`;
    return { passed: statusCode < 500 && served === artifactDigest, detail };
  } catch (error) {
    return { passed: false, detail: `GET ${url.pathname}: ${messageOf(error)}` };
  }
}

type Decided = { rollout: Rollout; round: Omit<Round, "at" | "stepEndsAt"> & { at: string; stepEndsAt: string }; move: Move };

function decide(rollout: Rollout, seen: Seen): Decided {
  const readings = seen.readings?.map((reading) => ({ ...reading, startedAt: new Date(reading.startedAt) })) ?? null;
  const { round, ...rest } = roundOf(rollout, { readings, smoke: seen.smoke, answer: seen.answer }, new Date(seen.at));
  return { ...rest, round: { ...round, at: round.at.toISOString(), stepEndsAt: round.stepEndsAt.toISOString() } };
}

/** Moves the traffic as decided, then keeps the round. Each may be repeated. */
async function carryOut(parts: Parts, actor: string, id: string, rollout: Rollout, round: Decided["round"], move: Move): Promise<Rollout> {
  const { db, clock, runtime } = parts;
  const { target } = (await planOf(parts, id)).payload;
  const { canary, baseline } = rollout;
  if (move.kind === "shift")
    await runtime.setTraffic(
      target,
      baseline && move.toPercent < 100
        ? { [baseline.revision]: 100 - move.toPercent, [canary.revision]: move.toPercent }
        : { [canary.revision]: 100 },
    );
  if (move.kind === "promote") await runtime.setTraffic(target, { [canary.revision]: 100 });
  if (move.kind === "rollBack") await runtime.setTraffic(target, baseline ? { [baseline.revision]: 100 } : {});
  await transact(db, (tx) =>
    noteRound(tx, clock, actor, id, { ...round, at: new Date(round.at), stepEndsAt: new Date(round.stepEndsAt) }, move),
  );
  return move.kind === "shift" ? enterStep(rollout, move.toPercent, clock.now()) : rollout;
}

/** A rollout that can't go on, whatever the reason, leaves what served before, and a release that has ended: those after it need not wait for it. */
export async function giveUp(parts: Parts, actor: string, id: string): Promise<void> {
  const { state } = await find(parts.db, id);
  if (state !== "rolling_out" && state !== "held") return;
  const { target, baseline } = (await planOf(parts, id)).payload;
  await parts.runtime.ensureTarget(target);
  await parts.runtime.setTraffic(target, baseline ? { [baseline.revision]: 100 } : {});
  await finish(parts, actor, id, { kind: "rolled_back", because: "the rollout could not go on; its run says why" }, false);
}

/** The release ends in the database; then what no longer serves is drained and stopped. */
async function finish(parts: Parts, actor: string, id: string, ended: RolledOut, quarantine: boolean): Promise<null> {
  const { db, clock, runtime } = parts;
  const { target, revision, baseline } = (await planOf(parts, id)).payload;
  await transact(db, (tx) => endRelease(tx, clock, actor, id, { state: ended.kind, because: ended.because, quarantine }));
  if (quarantine) await agreeOnQuarantine(parts);
  const { readings } = await runtime.observe(target);
  // The release has ended, so the next one may have begun meanwhile: what it starts, and what serves by now, is its own. Asked after looking: what is seen here began before.
  const next = [await underWay(db, target.service, target.environment), await currentRelease(db, target.service, target.environment)];
  const keep = [ended.kind === "promoted" ? revision.id : baseline?.revision, ...next.map((release) => release?.revision)];
  for (const reading of readings) if (!keep.includes(reading.revision)) await runtime.retire(target, reading.revision);
  return null;
}

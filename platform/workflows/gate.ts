import { directory } from "../catalog/views.ts";
import { reopenedBecause } from "../evidence/citations.ts";
import { isAdministrator } from "../identity/store.ts";
import type { Digest } from "../kernel/digest.ts";
import { transact } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import { approvalsOf, find as findPlan, outdate } from "../plans/store.ts";
import { passing } from "../policy/break-glass.ts";
import { openBreakGlasses } from "../policy/break-glass-store.ts";
import { environmentNamed } from "../releases/environments.ts";
import { gateOfRelease, passGate, waitAtGate, waitingAtGates } from "../releases/gate-store.ts";
import { gateOf, type GateFacts } from "../releases/gate.ts";
import { currentRelease, endRelease, find, lastAnswer } from "../releases/store.ts";
import { takenBack } from "../releases/taken-back.ts";
import { applying, openAt } from "../releases/windows.ts";
import { windows } from "../releases/windows-store.ts";
import type { Parts } from "./parts.ts";
import { reliefEnded } from "./reliefs.ts";
import { overtakenBy, whatChanged, type Delivery, type PlannedRelease, type ReleasePlan } from "./release-plan.ts";

/** What came out at the gate. `stale`: what it was planned on has changed while it waited, so that it is planned anew, and what was approved is void. */
export type AtTheGate = { kind: "open" } | { kind: "waits"; waitsFor: string; lookAgainSeconds: number } | { kind: "stale" };

/** So long at most until a waiting release is looked at again, whatever happened or didn't: what it rests on may change without an event. */
const LOOK_AGAIN_SECONDS = 3600;

/**
 * Whether a planned release may begin now. Approvals are asked for its plan's digest and who gave them for their groups at this moment; windows and freezes for
 * this instant. `first` is right after planning: nothing can have changed.
 */
export async function askAtGate(
  parts: Parts,
  { run, actor, first }: { run: string; actor: string; first: boolean },
  delivery: Delivery,
  { release: id, plan: digest, decision }: Pick<PlannedRelease, "release" | "plan" | "decision">,
): Promise<AtTheGate> {
  const { db, clock } = parts;
  // As an execution that was cut off has found.
  if ((await find(db, id)).state === "superseded") return { kind: "stale" };
  const plan = (await findPlan(db, digest)).plan as unknown as ReleasePlan;
  const changed = first ? [] : await changedWhileWaiting(parts, id, plan, delivery, decision);
  if (changed.length > 0) {
    await transact(db, async (tx) => {
      await outdate(tx, clock, actor, digest, changed);
      const because = `planned anew, with approvals of its own: changed while it waited: ${changed.join(", ")}`;
      await endRelease(tx, clock, actor, id, { state: "superseded", because });
    });
    return { kind: "stale" };
  }
  const now = clock.now();
  const { facts, answer } = await gateNow(parts, id, digest, plan, now);
  if (answer.heldBy.length === 0) {
    const { production } = environmentNamed(parts.environments, facts.environment);
    if (production || answer.openBy.length > 0 || (await gateOfRelease(db, id)))
      await transact(db, (tx) => passGate(tx, clock, actor, run, facts, answer));
    return { kind: "open" };
  }
  await transact(db, (tx) => waitAtGate(tx, clock, actor, id, run, answer));
  const opens = answer.heldBy.map(({ until }) => until).filter((until) => until !== null);
  const untilSeconds = opens.map((until) => Math.ceil((until.getTime() - now.getTime()) / 1000));
  return {
    kind: "waits",
    waitsFor: answer.heldBy.map(({ because, unblockedBy }) => `${because}; unblocked by ${unblockedBy}`).join(". And for "),
    lookAgainSeconds: Math.max(1, Math.min(LOOK_AGAIN_SECONDS, ...untilSeconds)),
  };
}

/**
 * Why the gate that let a release through has closed again before it began: a freeze was declared, a window or a break-glass is over, the approver left the
 * group. Undefined where it is open still.
 */
export async function closedAgain(
  parts: Parts,
  { release: id, plan: digest }: Pick<PlannedRelease, "release" | "plan">,
): Promise<string | undefined> {
  const plan = (await findPlan(parts.db, digest)).plan as unknown as ReleasePlan;
  const { answer } = await gateNow(parts, id, digest, plan, parts.clock.now());
  return answer.heldBy.length === 0 ? undefined : answer.heldBy.map(({ because }) => because).join("; ");
}

/** The topic on which a run that waits at a gate is woken. */
export const gateTopic = (environment: string): string => `gate ${environment}`;

/** What may open a gate, or show that what waits there is stale. */
export const WAKING_EVENTS = [
  "plans.approved",
  "releases.windows_loaded",
  "releases.freeze_declared",
  "releases.freeze_ended",
  "releases.promoted",
  "releases.answered",
  "policy.break_glass_opened",
  "evidence.revoked",
] as const;

/** Lets whoever waits at a gate look again. The same event twice is one message. */
export async function wakeAtGates({ db }: Pick<Parts, "db">, orchestrator: Orchestrator, event: RecordedEvent): Promise<void> {
  const plan = event.type === "plans.approved" ? (event.data as { digest: string }).digest : undefined;
  const service = /^component:default\/(.+)$/.exec(event.about)?.[1];
  for (const { run, environment } of await waitingAtGates(db, { plan, service }))
    await orchestrator.send(run, gateTopic(environment), event.type, { key: `event ${event.seq}` });
}

async function changedWhileWaiting(parts: Parts, id: string, plan: ReleasePlan, delivery: Delivery, decision: string): Promise<string[]> {
  const { db } = parts;
  const newer = await overtakenBy(db, { ...delivery, ...plan.payload.target });
  if (newer !== undefined) return [`commit ${newer} serves, which was merged later`];
  const reopened = (await reopenedBecause(db, decision)) ?? (await reliefEnded(db, decision, parts.clock.now()));
  return [
    ...(reopened === undefined ? [] : [`the decision was re-opened: ${reopened}`]),
    ...(await whatChanged(parts, id, plan, delivery)),
  ];
}

async function gateNow(parts: Parts, release: string, digest: Digest, plan: ReleasePlan, now: Date) {
  const facts = await gateFacts(parts, release, digest, plan, now);
  return { facts, answer: gateOf(facts) };
}

async function gateFacts(parts: Parts, release: string, plan: Digest, { payload }: ReleasePlan, now: Date): Promise<GateFacts> {
  const { db, environments } = parts;
  const { service, environment } = payload.target;
  const glasses = await openBreakGlasses(db, service, now);
  const pass = (gate: "production-approval" | "windows") => passing(glasses, gate, environment, now)?.id;
  const [approvalPass, windowsPass] = [pass("production-approval"), pass("windows")];
  const rules = (await windows(db, now)).map(({ rule }) => rule);
  const { production } = environmentNamed(environments, environment);
  const kinds = payload.changesNothing ? [] : environments.tiers[payload.tier].windows;
  return {
    environment,
    plan,
    release,
    approval: payload.approval,
    approvals: await Promise.all(
      (payload.approval ? await approvalsOf(db, plan) : []).map(async ({ by, at, tokenBy }) => ({
        by,
        at: at.toISOString(),
        tokenBy,
        groups: await directory(db).groupsOf(by),
        administrator: await isAdministrator(db, by),
      })),
    ),
    opening: openAt(applying(rules, { environment, production, service, owner: payload.owner, kinds }), now),
    wayBackTo: await wayBack(parts, payload),
    takenBack: await takenBack(db, { ...payload.target, artifactDigest: payload.revision.artifact.digest, revision: payload.revision.id }),
    word: await lastAnswer(db, release),
    owner: payload.owner,
    passes: {
      ...(approvalPass !== undefined && { "production-approval": approvalPass }),
      ...(windowsPass !== undefined && { windows: windowsPass }),
    },
  };
}

/** The release that what serves now replaced, if this revision is that one's to the byte. */
async function wayBack({ db }: Pick<Parts, "db">, { target, revision }: ReleasePlan["payload"]): Promise<string | null> {
  const current = await currentRelease(db, target.service, target.environment);
  if (!current?.previous) return null;
  const before = await find(db, current.previous);
  return before.revision === revision.id ? before.id : null;
}

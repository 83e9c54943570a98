import { evidenceFor } from "../evidence/store.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import { transact } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { read } from "../ledger/store.ts";
import { workflow, type Orchestrator } from "../orchestrator/contract.ts";
import { judge } from "../policy/judge.ts";
import { keepAudit, forgetAudits, noteUnaudited } from "../policy/audit.ts";
import { environmentNamed } from "../releases/environments.ts";
import { currentRelease } from "../releases/store.ts";
import type { Target } from "../runtime/contract.ts";
import { factsAt } from "./check-change.ts";
import type { Parts } from "./parts.ts";
import type { ReleasePlan } from "./release-plan.ts";
import { releaseSubject } from "./release-subject.ts";
import { reliefsFor } from "./reliefs.ts";

export interface Audited {
  targets: number;
  /** Those of which another answer was given than the last time. */
  changed: string[];
}

/** Enough that ten thousand targets are not as many checkpoints, few enough that a death does not begin a long stretch again. */
const TARGETS_PER_STEP = 25;

/** What is looked at: one service where it is named, else all that runs. */
export interface AuditInput {
  service?: string;
}

/** Judges all that runs by today's rules and evidence. It records what it finds and takes nothing down: that is people's to decide. */
export const auditRuntime = workflow(
  "audit runtime",
  () => ["look at what runs", "judge what runs", "forget what runs no more"],
  async (run, { service }: AuditInput, parts: Parts): Promise<Audited> => {
    const running = await run.step("look at what runs", () => parts.runtime.targets());
    const targets = running.filter((target) => service === undefined || target.service === service);
    const changed: string[] = [];
    for (let at = 0; at < targets.length; at += TARGETS_PER_STEP) {
      const some = targets.slice(at, at + TARGETS_PER_STEP);
      changed.push(...(await run.step("judge what runs", () => auditEach(parts, run.startedBy, some))));
    }
    await run.transaction("forget what runs no more", async (tx) => forgetAudits(tx, parts.clock, run.startedBy, running).then(() => null));
    return { targets: targets.length, changed };
  },
);

/** How often all that runs is judged again, beside after events that bear on it. */
export const AUDIT_EVERY_MS = 300_000;
const ACTOR = "system:audit";

/** The events after which what runs is judged at once. */
export const AUDITED_EVENTS = [
  "evidence.revoked",
  "policy.exception_granted",
  "policy.exception_ended",
  "releases.quarantined",
  "releases.quarantine_lifted",
  "releases.promoted",
  "runtime.found",
  "runtime.finding_ended",
] as const;

/** Begins an audit: one for each stretch of time and each set of rules, however many servers ask; after an event, one for that. */
export async function startAudit(
  { clock, policies }: Pick<Parts, "clock" | "policies">,
  orchestrator: Orchestrator,
  after?: Pick<RecordedEvent, "seq" | "about">,
): Promise<void> {
  const stretch = Math.floor(clock.now().getTime() / AUDIT_EVERY_MS);
  const id = after ? `audit-after-${after.seq}` : `audit-${stretch}-${policies.digest.slice("sha256:".length, "sha256:".length + 8)}`;
  const service = /^component:default\/(.+)$/.exec(after?.about ?? "")?.[1];
  await orchestrator.start(auditRuntime, service === undefined ? {} : { service }, { id, about: "platform:audit", startedBy: ACTOR });
}

/** Judges what serves at some places. Gives those of which another answer was given. */
async function auditEach(parts: Parts, actor: string, targets: readonly Target[]): Promise<string[]> {
  const changed: string[] = [];
  for (const target of targets) if (await audit(parts, actor, target)) changed.push(`${target.service}/${target.environment}`);
  return changed;
}

/** Judges what serves at one place. Gives whether the answer is another than the last. */
async function audit(parts: Parts, actor: string, { service, environment: name }: Target): Promise<boolean> {
  const { db, clock, forge, environments, policies } = parts;
  const release = await currentRelease(db, service, name);
  // What runs without a release was never let in: the runtime's own findings say so.
  if (!release) return false;
  const { payload } = await read<ReleasePlan>(db, release.plan as `sha256:${string}`);
  const at = { service, environment: name, release: release.id };
  const repository = service;
  try {
    const { commit, artifactDigest } = release;
    const facts = await factsAt(parts, repository, commit);
    const change = (await forge.changes({ repository })).find(({ mergeCommit }) => mergeCommit === commit) ?? null;
    const evidence = await evidenceFor(db, artifactDigest);
    const { findings, readings } = await parts.runtime.observe({ service, environment: name });
    const serving = new Set(readings.filter(({ weightPercent }) => weightPercent > 0).map(({ revision }) => revision));
    const now = clock.now();
    const subject = await releaseSubject(
      parts,
      "audit",
      facts,
      {
        service,
        environment: environmentNamed(environments, name),
        repository,
        commit,
        change,
        artifactDigest,
        evidence,
        manifests: payload.revision.manifests,
        findings: findings.filter(({ revision }) => serving.has(revision)),
      },
      now,
    );
    const grounds = { subject, bundle: policies, reliefs: await reliefsFor(db, service, now) };
    const judgement = judge(subject, policies, now, grounds.reliefs);
    return await transact(db, (tx) => keepAudit(tx, clock, actor, at, grounds, judgement));
  } catch (error) {
    if (!isFault(error)) throw error;
    return transact(db, (tx) => noteUnaudited(tx, clock, actor, at, messageOf(error)));
  }
}

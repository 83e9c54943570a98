import { messageOf } from "../kernel/faults.ts";
import { read } from "../ledger/store.ts";
import { transact } from "../kernel/sql.ts";
import { lastLift, quarantineList } from "../releases/quarantine.ts";
import { currentRelease } from "../releases/store.ts";
import { QUARANTINE_LIFT } from "../runtime/admission.ts";
import type { Target } from "../runtime/contract.ts";
import { noteAttempt, noteFindings, targetsWithFindings } from "../runtime/store.ts";
import { admit } from "./admit.ts";
import type { Parts } from "./parts.ts";
import type { ReleasePlan } from "./release-plan.ts";

type Needed = Pick<Parts, "db" | "clock" | "log" | "runtime" | "signAdmission">;

/** One look at what runs, by the platform: what was found and refused there goes into the ledger, and the runtime hears what is barred. May be repeated and may run twice at once. */
export async function lookAtRuntime(parts: Needed): Promise<void> {
  const { db, clock, log, runtime } = parts;
  await agreeOnQuarantine(parts);
  for (const attempt of await runtime.attempts()) await transact(db, (tx) => noteAttempt(tx, clock, attempt));
  const targets = await runtime.targets();
  for (const target of targets) {
    const { findings } = await runtime.observe(target);
    await transact(db, (tx) => noteFindings(tx, clock, target, findings));
    for (const { revision } of findings.filter(({ kind }) => kind === "not_admitted"))
      await admitAgain(parts, target, revision).catch((error: unknown) =>
        log.warn({ ...target, revision, because: messageOf(error) }, "a revision without admission is left as it is"),
      );
  }
  const runs = new Set(targets.map(({ service, environment }) => `${service}/${environment}`));
  for (const target of await targetsWithFindings(db))
    if (!runs.has(`${target.service}/${target.environment}`)) await transact(db, (tx) => noteFindings(tx, clock, target, []));
}

/** Has the runtime bar what is quarantined, and let start again what was lifted. What it bars of its own, and nobody here knows of, it goes on to bar. */
export async function agreeOnQuarantine({ db, clock, runtime, signAdmission }: Needed): Promise<void> {
  const wanted = await quarantineList(db);
  const there = new Set((await runtime.quarantined()).map(({ artifact }) => artifact));
  for (const { artifactDigest, because, service } of wanted)
    if (!there.has(artifactDigest)) await runtime.quarantine(artifactDigest, `${service}: ${because}`);
  for (const artifact of there) {
    const lifted = await lastLift(db, artifact);
    if (lifted)
      await runtime.liftQuarantine(artifact, signAdmission(QUARANTINE_LIFT, { artifact, ...lifted, issuedAt: clock.now().toISOString() }));
  }
}

/** A revision that the runtime took over from before there were admissions, or under a key that is no more: where its release was allowed and serves, it is admitted anew. */
async function admitAgain(parts: Needed, { service, environment }: Target, revision: string): Promise<void> {
  const release = await currentRelease(parts.db, service, environment);
  if (release?.revision !== revision) return;
  const { payload } = await read<ReleasePlan>(parts.db, release.plan as `sha256:${string}`);
  await parts.runtime.deploy(await admit(parts, payload.revision));
}

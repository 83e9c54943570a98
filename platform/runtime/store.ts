import type { Clock } from "../kernel/clock.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { Attempt, Finding, Target } from "./contract.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    runtime_finding: {
      id: string;
      service: string;
      environment: string;
      revision: string;
      kind: string;
      subject: string;
      detail: string;
      found_at: Date;
      ended_at: Date | null;
    };
    runtime_attempt: { id: string; at: Date };
  }
}

const ACTOR = "system:runtime";

/** Keeps what was found of a target now: what is new goes into the ledger once, what is gone is noted as ended. */
export async function noteFindings(tx: Tx, clock: Clock, target: Target, findings: readonly Finding[]): Promise<void> {
  const about = `component:default/${target.service}`;
  for (const { id, kind, revision, subject, detail, foundAt } of findings) {
    const row = await tx
      .insertInto("runtime_finding")
      .values({ id, ...target, revision, kind, subject, detail, found_at: foundAt, ended_at: null })
      .onConflict((oc) => oc.column("id").where("ended_at", "is", null).doNothing())
      .returning("id")
      .executeTakeFirst();
    if (row)
      await record(tx, clock, {
        type: "runtime.found",
        about,
        actor: ACTOR,
        data: { finding: id, environment: target.environment, revision, kind, subject, detail, foundAt: foundAt.toISOString() },
      });
  }
  const there = findings.map(({ id }) => id);
  let gone = tx
    .updateTable("runtime_finding")
    .set({ ended_at: clock.now() })
    .where("service", "=", target.service)
    .where("environment", "=", target.environment)
    .where("ended_at", "is", null);
  if (there.length > 0) gone = gone.where("id", "not in", there);
  for (const { id, revision, kind, subject } of await gone.returning(["id", "revision", "kind", "subject"]).execute())
    await record(tx, clock, {
      type: "runtime.finding_ended",
      about,
      actor: ACTOR,
      data: { finding: id, environment: target.environment, revision, kind, subject },
    });
}

/** Keeps an attempt that the runtime refused. Twice is once. */
export async function noteAttempt(tx: Tx, clock: Clock, attempt: Attempt): Promise<void> {
  const { id, at, service, ...rest } = attempt;
  const row = await tx
    .insertInto("runtime_attempt")
    .values({ id, at })
    .onConflict((oc) => oc.column("id").doNothing())
    .returning("id")
    .executeTakeFirst();
  if (row)
    await record(tx, clock, {
      type: "runtime.attempt_refused",
      about: service === null ? "platform:runtime" : `component:default/${service}`,
      actor: ACTOR,
      data: { attempt: id, at: at.toISOString(), ...rest },
    });
}

/** The targets of which something is kept as found. */
export const targetsWithFindings = (db: Sql): Promise<Target[]> =>
  db.selectFrom("runtime_finding").select(["service", "environment"]).where("ended_at", "is", null).distinct().execute();

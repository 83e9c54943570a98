import type { Clock } from "../kernel/clock.ts";
import { canonicalJson } from "../kernel/digest.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { keep, record } from "../ledger/store.ts";
import { Held, type GateAnswer, type GateFacts } from "./gate.ts";
import { find } from "./store.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    release_gate: {
      release: string;
      run: string;
      held_by: unknown;
      open_by: unknown;
      facts: string | null;
      since: Date;
      passed_at: Date | null;
    };
  }
}

/** A release before its environment: what it waits for, or what it was let through by. */
export interface AtGate {
  run: string;
  heldBy: Held[];
  openBy: string[];
  since: Date;
  passedAt: Date | null;
}

/** Keeps that a planned release waits, and for what. The same again is no event. */
export async function waitAtGate(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  id: string,
  run: string,
  { heldBy, openBy }: GateAnswer,
): Promise<void> {
  const release = await find(tx, id, "lock");
  const before = await gateOfRelease(tx, id);
  if (before && canonicalJson(before.heldBy) === canonicalJson(heldBy) && before.passedAt === null) return;
  const values = { run, held_by: json(heldBy), open_by: json(openBy), facts: null, passed_at: null };
  await tx
    .insertInto("release_gate")
    .values({ release: id, since: clock.now(), ...values })
    .onConflict((oc) => oc.column("release").doUpdateSet(values))
    .execute();
  const because = `waits for ${heldBy.map((held) => held.because).join(", and for ")}`;
  await tx.updateTable("release").set({ because }).where("id", "=", id).where("state", "=", "planned").execute();
  await record(tx, clock, {
    type: "releases.waiting",
    about: `component:default/${release.service}`,
    actor,
    data: { release: id, environment: release.environment, plan: release.plan, run, heldBy },
  });
}

/** Keeps that a release was let through, by what, and the facts that this rests on. Twice is once. */
export async function passGate(
  tx: Tx,
  clock: Clock,
  actor: Actor,
  run: string,
  facts: GateFacts,
  { openBy, passedBy }: GateAnswer,
): Promise<void> {
  const release = await find(tx, facts.release, "lock");
  const before = await gateOfRelease(tx, facts.release);
  if (before?.passedAt) return;
  const digest = await keep(tx, facts, "application/vnd.cairn.gate-facts+json");
  const values = { run, held_by: json([]), open_by: json(openBy), facts: digest, passed_at: clock.now() };
  await tx
    .insertInto("release_gate")
    .values({ release: facts.release, since: clock.now(), ...values })
    .onConflict((oc) => oc.column("release").doUpdateSet(values))
    .execute();
  await record(tx, clock, {
    type: "releases.gate_passed",
    about: `component:default/${release.service}`,
    actor,
    data: {
      release: release.id,
      environment: release.environment,
      plan: release.plan,
      openBy,
      breakGlass: passedBy[0] ?? null,
      facts: digest,
    },
  });
}

/** Where a release stands at its gate; undefined where it has not come to one. */
export async function gateOfRelease(db: Sql, id: string): Promise<AtGate | undefined> {
  const row = await db.selectFrom("release_gate").selectAll().where("release", "=", id).executeTakeFirst();
  return (
    row && {
      run: row.run,
      heldBy: Held.array().parse(row.held_by),
      openBy: row.open_by as string[],
      since: row.since,
      passedAt: row.passed_at,
    }
  );
}

/** Whether a release waits at its gate until somebody lets it go, since what it brings was taken back. */
export async function waitsForWord(db: Sql, id: string): Promise<boolean> {
  const gate = await gateOfRelease(db, id);
  return gate !== undefined && gate.passedAt === null && gate.heldBy.some((held) => held.gate === "taken-back");
}

/** The releases that wait, and the runs that wait with them. */
export const waitingAtGates = (
  db: Sql,
  only: { plan?: string | undefined; service?: string | undefined },
): Promise<{ release: string; run: string; environment: string }[]> => {
  let query = db
    .selectFrom("release_gate as gate")
    .innerJoin("release", "release.id", "gate.release")
    .select(["gate.release", "gate.run", "release.environment"])
    .where("gate.passed_at", "is", null)
    .where("release.state", "=", "planned");
  if (only.plan !== undefined) query = query.where("release.plan", "=", only.plan);
  if (only.service !== undefined) query = query.where("release.service", "=", only.service);
  return query.execute();
};

const json = (value: unknown): never => JSON.stringify(value) as never;

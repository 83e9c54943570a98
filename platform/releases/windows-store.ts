import type { Selectable } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { canonicalJson } from "../kernel/digest.ts";
import { newId } from "../kernel/ids.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import { freezeMissing, freezeOfOrganisation, freezeOver, windowNameTaken, windowsTwice } from "./faults.ts";
import { WindowRule } from "./windows.ts";

interface WindowTable {
  id: string;
  kind: WindowRule["kind"];
  name: string;
  rule: unknown;
  declared: boolean;
  by: string;
  at: Date;
  ended_at: Date | null;
  ended_by: string | null;
  ended_because: string | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    release_window: WindowTable;
  }
}

/** A rule that holds, and whose it is. */
export interface KeptWindow {
  id: string;
  /** Declared by somebody for now; the others came with the organisation's file. */
  declared: boolean;
  by: string;
  at: Date;
  rule: WindowRule;
}

export interface WindowsLoaded {
  added: string[];
  changed: string[];
  removed: string[];
  unchanged: string[];
}

/**
 * Makes these the organisation's windows and freezes, in place of those that were. One that stays the same keeps its author; freezes that somebody declared
 * are not touched. Throws `releases.windows_twice`, `releases.window_name_taken`.
 */
export async function loadWindows(tx: Tx, clock: Clock, actor: Actor, rules: readonly WindowRule[]): Promise<WindowsLoaded> {
  const twice = rules.find(({ name }, n) => rules.findIndex((other) => other.name === name) !== n);
  if (twice) throw windowsTwice(twice.name);
  const now = await tx.selectFrom("release_window").selectAll().where("ended_at", "is", null).forUpdate().execute();
  const before = new Map(now.filter(({ declared }) => !declared).map((row) => [row.name, row]));
  const loaded: WindowsLoaded = { added: [], changed: [], removed: [], unchanged: [] };
  for (const rule of rules) {
    const row = before.get(rule.name);
    before.delete(rule.name);
    if (row && canonicalJson(row.rule) === canonicalJson(rule)) {
      loaded.unchanged.push(rule.name);
      continue;
    }
    if (row) await end(tx, clock, actor, row.id, "loaded anew");
    (row ? loaded.changed : loaded.added).push(rule.name);
    await insert(tx, clock, actor, rule, false);
  }
  for (const { id, name } of before.values()) {
    await end(tx, clock, actor, id, "no longer among the organisation's windows");
    loaded.removed.push(name);
  }
  if (loaded.added.length + loaded.changed.length + loaded.removed.length > 0)
    await record(tx, clock, { type: "releases.windows_loaded", about: "organisation", actor, data: { ...loaded } });
  return loaded;
}

export interface NewFreeze {
  until: Date;
  because: string;
  name?: string | undefined;
  environments?: string[] | undefined;
  services?: string[] | undefined;
}

/** Freezes releases from now on. Throws `releases.freeze_over`, `releases.window_name_taken`. */
export async function declareFreeze(tx: Tx, clock: Clock, actor: Actor, freeze: NewFreeze): Promise<KeptWindow> {
  const now = clock.now();
  if (freeze.until <= now) throw freezeOver(freeze.until);
  const rule = WindowRule.parse({
    kind: "freeze",
    name: freeze.name ?? `freeze-${newId("frz", clock).slice(-8)}`,
    because: freeze.because,
    timeZone: "UTC",
    dates: [{ from: wallOf(now.getTime()), until: wallOf(freeze.until.getTime() + 999) }],
    environments: freeze.environments,
    services: freeze.services,
  });
  const kept = await insert(tx, clock, actor, rule, true);
  const about = rule.services?.length === 1 ? `component:default/${rule.services[0]}` : "organisation";
  await record(tx, clock, { type: "releases.freeze_declared", about, actor, data: { id: kept.id, ...rule, until: freeze.until } });
  return kept;
}

/** Ends a freeze that somebody declared. Throws `releases.freeze_missing`, `releases.freeze_of_organisation`. */
export async function endFreeze(tx: Tx, clock: Clock, actor: Actor, id: string, because: string): Promise<KeptWindow> {
  const kept = await findFreeze(tx, id);
  await end(tx, clock, actor, kept.id, because);
  const { services, name } = kept.rule;
  const about = services?.length === 1 ? `component:default/${services[0]}` : "organisation";
  await record(tx, clock, { type: "releases.freeze_ended", about, actor, data: { id: kept.id, name, because, declaredBy: kept.by } });
  return kept;
}

/** A declared freeze that holds, by its id or name. Throws `releases.freeze_missing`, `releases.freeze_of_organisation`. */
export async function findFreeze(db: Sql, id: string): Promise<KeptWindow> {
  const row = await db
    .selectFrom("release_window")
    .selectAll()
    .where((eb) => eb.or([eb("id", "=", id), eb("name", "=", id)]))
    .where("ended_at", "is", null)
    .executeTakeFirst();
  if (row?.kind !== "freeze") throw freezeMissing(id);
  if (!row.declared) throw freezeOfOrganisation(row.name);
  return keptOf(row);
}

/** The rules that hold, by name. A declared freeze whose time is over is not among them. */
export async function windows(db: Sql, now: Date): Promise<KeptWindow[]> {
  const rows = await db.selectFrom("release_window").selectAll().where("ended_at", "is", null).orderBy("name").execute();
  return rows.map(keptOf).filter(({ declared, rule }) => !declared || rule.dates.some(({ until }) => new Date(`${until}Z`) > now));
}

async function insert(tx: Tx, clock: Clock, actor: Actor, rule: WindowRule, declared: boolean): Promise<KeptWindow> {
  const row = await tx
    .insertInto("release_window")
    .values({
      id: newId(rule.kind === "freeze" ? "frz" : "win", clock),
      kind: rule.kind,
      name: rule.name,
      rule: JSON.stringify(rule) as never,
      declared,
      by: actor,
      at: clock.now(),
      ended_at: null,
      ended_by: null,
      ended_because: null,
    })
    .onConflict((oc) => oc.column("name").where("ended_at", "is", null).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row) throw windowNameTaken(rule.name);
  return keptOf(row);
}

const end = (tx: Tx, clock: Clock, actor: Actor, id: string, because: string) =>
  tx.updateTable("release_window").set({ ended_at: clock.now(), ended_by: actor, ended_because: because }).where("id", "=", id).execute();

/** The wall clock in UTC, to the second. */
const wallOf = (instant: number): string => new Date(instant).toISOString().slice(0, 19);

const keptOf = (row: Selectable<WindowTable>): KeptWindow => ({
  id: row.id,
  declared: row.declared,
  by: row.by,
  at: row.at,
  rule: WindowRule.parse(row.rule),
});

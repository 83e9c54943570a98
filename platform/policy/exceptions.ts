import { sql, type Selectable } from "kysely";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import type { Sql, Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import type { Bundle } from "./bundle.ts";
import { exceptionEnded, exceptionForRule, exceptionMissing, exceptionTime, exceptionUnknownRule } from "./faults.ts";
import type { Relief } from "./model.ts";

/** The longest that an exception may be granted for: what is needed for longer is a change of the rule. */
export const MAX_EXCEPTION_DAYS = 90;

interface ExceptionTable {
  id: string;
  rules: string[];
  service: string;
  environment: string | null;
  because: string;
  granted_by: string;
  granted_at: Date;
  until: Date;
  ended_by: string | null;
  ended_at: Date | null;
  ended_because: string | null;
}

declare module "../kernel/sql.ts" {
  interface Tables {
    policy_exception: ExceptionTable;
  }
}

const Said = z.object({ by: z.string(), at: z.coerce.date(), because: z.string() });

/** Leave of a service to go on although these rules refuse, until an instant that was said when it was granted. */
export const Exception = z
  .object({
    id: z.string(),
    rules: z.array(z.string()).min(1),
    service: z.string(),
    /** Null for every environment. */
    environment: z.string().nullable(),
    because: z.string(),
    grantedBy: z.string(),
    grantedAt: z.coerce.date(),
    until: z.coerce.date(),
    /** Where it was ended before its time. */
    ended: Said.nullable(),
    /** `holds` until just before its end; nobody has to note that. */
    state: z.enum(["holds", "expired", "ended"]),
  })
  .meta({ id: "Exception" });
export type Exception = z.infer<typeof Exception>;

export type ExceptionOrder = Pick<Exception, "rules" | "service" | "environment" | "because" | "until">;

/**
 * Grants an exception. Whether the caller may is asked before. Throws `policy.exception_rule_unknown`, `policy.exception_not_allowed` for a rule that
 * allows none, and `policy.exception_time` for an end that is past or too far away.
 */
export async function grantException(tx: Tx, clock: Clock, actor: Actor, bundle: Bundle, order: ExceptionOrder): Promise<Exception> {
  const now = clock.now();
  grantersOf(bundle, order.rules);
  const latest = new Date(now.getTime() + MAX_EXCEPTION_DAYS * 86_400_000);
  if (order.until <= now || order.until > latest) throw exceptionTime(order.until, now, MAX_EXCEPTION_DAYS);
  const { rules, service, environment, because, until } = order;
  const row = await tx
    .insertInto("policy_exception")
    .values({
      id: newId("exc", clock),
      rules: JSON.stringify([...new Set(rules)].toSorted()) as never,
      service,
      environment,
      because,
      granted_by: actor,
      granted_at: now,
      until,
      ended_by: null,
      ended_at: null,
      ended_because: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const exception = exceptionOf(row, now);
  await record(tx, clock, {
    type: "policy.exception_granted",
    about: `component:default/${service}`,
    actor,
    data: { exception: exception.id, rules: exception.rules, environment, because, until: until.toISOString() },
  });
  return exception;
}

/** Ends an exception before its time. Throws `policy.exception_missing` and `policy.exception_ended`. */
export async function endException(tx: Tx, clock: Clock, actor: Actor, id: string, because: string): Promise<Exception> {
  const now = clock.now();
  const row = await tx.selectFrom("policy_exception").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
  if (!row) throw exceptionMissing(id);
  const exception = exceptionOf(row, now);
  if (exception.state !== "holds") throw exceptionEnded(exception.id, exception.state);
  const ended = { ended_by: actor, ended_at: now, ended_because: because };
  await tx.updateTable("policy_exception").set(ended).where("id", "=", id).execute();
  const { rules, environment, service } = exception;
  await record(tx, clock, {
    type: "policy.exception_ended",
    about: `component:default/${service}`,
    actor,
    data: { exception: id, rules, environment, because },
  });
  return exceptionOf({ ...row, ...ended }, now);
}

/** One exception. Throws `policy.exception_missing`. */
export async function findException(db: Sql, id: string, now: Date): Promise<Exception> {
  const row = await db.selectFrom("policy_exception").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) throw exceptionMissing(id);
  return exceptionOf(row, now);
}

/** Exceptions, newest first; `holding`: only those that hold now. */
export async function listExceptions(
  db: Sql,
  now: Date,
  { service, holding = false, limit = 200 }: { service?: string | undefined; holding?: boolean | undefined; limit?: number },
): Promise<Exception[]> {
  const rows = await db
    .selectFrom("policy_exception")
    .selectAll()
    .$if(service !== undefined, (query) => query.where("service", "=", service ?? ""))
    .$if(holding, (query) => query.where("until", ">", now).where("ended_at", "is", null))
    .orderBy(sql`id collate "C" desc`)
    .limit(limit)
    .execute();
  return rows.map((row) => exceptionOf(row, now));
}

/** The exceptions that speak for a service now (for any, where none is named), oldest first, as rules are judged with them. */
export async function exceptionsFor(db: Sql, service: string | undefined, now: Date): Promise<Relief[]> {
  const holding = await listExceptions(db, now, { service, holding: true });
  return holding.reverse().map(({ id, rules, service: speaksFor, environment, because, grantedBy, grantedAt, until }) => ({
    id,
    kind: "exception",
    rules,
    service: speaksFor,
    environment,
    from: grantedAt.toISOString(),
    until: until.toISOString(),
    because,
    grantedBy,
  }));
}

/** Who may grant an exception from all of these rules at once. Throws `policy.exception_rule_unknown` and `policy.exception_not_allowed`. */
export function grantersOf(bundle: Bundle, rules: readonly string[]): string[] {
  const asked = rules.map((name) => {
    const rule = bundle.rules.find((one) => one.name === name);
    if (!rule) throw exceptionUnknownRule(name, bundle.rules.map((one) => one.name)); // prettier-ignore
    if (rule.exceptionsBy.length === 0) throw exceptionForRule(name);
    return rule.exceptionsBy;
  });
  return (asked[0] ?? []).filter((granter) => asked.every((others) => others.includes(granter)));
}

function exceptionOf(row: Selectable<ExceptionTable>, now: Date): Exception {
  const { id, rules, service, environment, because, until, ended_by, ended_at, ended_because } = row;
  return {
    id,
    rules,
    service,
    environment,
    because,
    grantedBy: row.granted_by,
    grantedAt: row.granted_at,
    until,
    ended: ended_at === null ? null : { by: ended_by ?? "", at: ended_at, because: ended_because ?? "" },
    state: ended_at !== null ? "ended" : now < until ? "holds" : "expired",
  };
}

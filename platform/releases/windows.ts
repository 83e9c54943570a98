import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { groupRef } from "../identity/access.ts";
import { localTime, timeZone } from "../kernel/local-time.ts";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'write "09:00"; "24:00" is the end of the day');

/** Hours of some days of the week. Where `until` is not after `from` they end on the next day. */
const Weekly = z.strictObject({ days: z.array(z.enum(DAYS)).min(1), from: timeOfDay, until: timeOfDay });
/** From a date and time until just before another. */
const Dated = z.strictObject({ from: localTime, until: localTime }).refine(({ from, until }) => from < until, "it ends before it begins");

/**
 * When releases may begin: outside of every `window` that speaks of one it waits, and during a `freeze` too, which wins over any window.
 * Times are those on the wall in a named time zone.
 */
export const WindowRule = z
  .strictObject({
    kind: z.enum(["window", "freeze"]),
    name: z
      .string()
      .max(63)
      .regex(/^[a-z][a-z0-9-]*$/, "a name has lower-case letters, digits and hyphens, and begins with a letter"),
    because: z.string().trim().min(1).max(1000),
    timeZone,
    weekly: z.array(Weekly).default([]),
    dates: z.array(Dated).default([]),
    /** Left out, every production environment. */
    environments: z.array(z.string()).min(1).optional(),
    /** These services and those of these teams; without both, every service. */
    services: z.array(z.string()).min(1).optional(),
    teams: z.array(z.string()).min(1).optional(),
  })
  .refine(({ weekly, dates }) => weekly.length + dates.length > 0, "it says no time: give weekly hours, dates, or both")
  .meta({ id: "WindowRule" });
export type WindowRule = z.infer<typeof WindowRule>;

/** Whether a release may begin now, what keeps it, and when nothing of what is known today will; null where that is not foreseeable. */
export const Opening = z
  .object({
    open: z.boolean(),
    heldBy: z.array(
      z.object({ kind: z.enum(["window", "freeze"]), name: z.string(), because: z.string(), until: z.coerce.date().nullable() }),
    ),
    opensAt: z.coerce.date().nullable(),
  })
  .meta({ id: "Opening" });
export type Opening = z.infer<typeof Opening>;

/** The rules that speak of a release. `kinds` is what its tier is bound by. */
export const applying = (
  rules: readonly WindowRule[],
  release: { environment: string; production: boolean; service: string; owner: string; kinds: readonly ("windows" | "freezes")[] },
): WindowRule[] =>
  rules.filter(({ kind, environments, services, teams }) => {
    if (!release.kinds.includes(kind === "window" ? "windows" : "freezes")) return false;
    if (environments ? !environments.includes(release.environment) : !release.production) return false;
    if (!services && !teams) return true;
    return services?.includes(release.service) === true || teams?.some((team) => groupRef(team) === groupRef(release.owner)) === true;
  });

/** Whether these rules let a release begin at an instant. Without any window there is no hour that is not allowed; a freeze denies whatever a window allows. */
export function openAt(rules: readonly WindowRule[], now: Date): Opening {
  const at = now.getTime();
  const heldBy = holding(rules, at).map(({ rule, until }) => ({
    kind: rule.kind,
    name: rule.name,
    because: rule.because,
    until: until === null ? null : new Date(until),
  }));
  if (heldBy.length === 0) return { open: true, heldBy, opensAt: now };
  const opens = nextOpening(rules, at);
  return { open: false, heldBy, opensAt: opens === null ? null : new Date(opens) };
}

/** What a rule means in instants: every stretch that touches the time between two of them, in order. An end is not part of its stretch. */
export function stretchesOf(rule: WindowRule, from: number, until: number): Stretch[] {
  const found = rule.dates.map((dated) => stretch(rule, Temporal.PlainDateTime.from(dated.from), Temporal.PlainDateTime.from(dated.until)));
  if (rule.weekly.length > 0) {
    const dateAt = (instant: number) => Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(rule.timeZone).toPlainDate();
    const last = dateAt(until).add({ days: 1 });
    for (let day = dateAt(from).subtract({ days: 2 }); Temporal.PlainDate.compare(day, last) <= 0; day = day.add({ days: 1 }))
      for (const hours of rule.weekly) {
        if (!hours.days.includes(DAYS[day.dayOfWeek - 1]!)) continue;
        const ends = hours.until <= hours.from ? day.add({ days: 1 }) : day;
        found.push(stretch(rule, wall(day, hours.from), wall(ends, hours.until)));
      }
  }
  return found
    .filter(({ start, end }) => start < end && end > from && start <= until)
    .toSorted((a, b) => a.start - b.start || a.end - b.end);
}

/** Milliseconds since 1970. */
interface Stretch {
  start: number;
  end: number;
}

const DAY = 86_400_000;
/** Every hour of a week comes again within so long, the one that a change of the clocks swallows too. */
const WEEKLY_HORIZON = 16 * DAY;
/** How many stretches after one another the search for an opening looks past. */
const MOST_STRETCHES = 200;

/** The rules that keep a release at an instant, and until when each does: freezes that are on, and the windows if none is open. */
function holding(rules: readonly WindowRule[], at: number): { rule: WindowRule; until: number | null }[] {
  return [
    ...freezesAt(rules, at),
    ...(insideWindow(rules, at) ? [] : windowsOf(rules).map((rule) => ({ rule, until: nextStart(rule, at) }))),
  ];
}

/** The first instant from which on nothing holds; null where there is none that can be foreseen. Goes from the end of what holds to the end of what holds then. */
function nextOpening(rules: readonly WindowRule[], from: number): number | null {
  let at = from;
  for (let looked = 0; looked < MOST_STRETCHES; looked++) {
    const frozen = freezesAt(rules, at);
    if (frozen.length === 0 && insideWindow(rules, at)) return at;
    const next =
      frozen.length > 0 ? Math.max(...frozen.map(({ until }) => until)) : earliest(windowsOf(rules).map((rule) => nextStart(rule, at)));
    if (next === null) return null;
    at = next;
  }
  return null;
}

const windowsOf = (rules: readonly WindowRule[]): WindowRule[] => rules.filter(({ kind }) => kind === "window");

const on = (rule: WindowRule, at: number): Stretch[] => stretchesOf(rule, at, at).filter(({ start, end }) => start <= at && at < end);

function insideWindow(rules: readonly WindowRule[], at: number): boolean {
  const windows = windowsOf(rules);
  return windows.length === 0 || windows.some((rule) => on(rule, at).length > 0);
}

const freezesAt = (rules: readonly WindowRule[], at: number): { rule: WindowRule; until: number }[] =>
  rules.flatMap((rule) => {
    const now = rule.kind === "freeze" ? on(rule, at) : [];
    return now.length > 0 ? [{ rule, until: Math.max(...now.map(({ end }) => end)) }] : [];
  });

function nextStart(rule: WindowRule, after: number): number | null {
  const begins = (of: WindowRule, until: number) =>
    earliest(stretchesOf(of, after, until).map(({ start }) => (start > after ? start : null)));
  const weekly = { ...rule, dates: [] };
  return earliest([
    begins(weekly, after + 2 * DAY) ?? begins(weekly, after + WEEKLY_HORIZON),
    begins({ ...rule, weekly: [] }, Number.MAX_SAFE_INTEGER),
  ]);
}

const earliest = (instants: readonly (number | null)[]): number | null => {
  const known = instants.filter((instant) => instant !== null);
  return known.length > 0 ? Math.min(...known) : null;
};

/**
 * From wall to wall in instants. A time that the clocks skip or show twice is read so that less is allowed: a freeze is the longer one, a window the
 * shorter one.
 */
function stretch({ kind, timeZone: zone }: WindowRule, from: Temporal.PlainDateTime, until: Temporal.PlainDateTime): Stretch {
  const instant = (at: Temporal.PlainDateTime, disambiguation: "earlier" | "later") =>
    at.toZonedDateTime(zone, { disambiguation }).epochMilliseconds;
  return kind === "freeze"
    ? { start: instant(from, "earlier"), end: instant(until, "later") }
    : { start: instant(from, "later"), end: instant(until, "earlier") };
}

const wall = (day: Temporal.PlainDate, time: string): Temporal.PlainDateTime =>
  time === "24:00" ? day.add({ days: 1 }).toPlainDateTime() : day.toPlainDateTime(Temporal.PlainTime.from(time));

import type { Db } from "../kernel/sql.ts";
import type { Target } from "../runtime/contract.ts";
import type { Counts } from "./counters.ts";
import { rangeInvalid } from "./faults.ts";
import type { Telemetry, Traffic } from "./model.ts";
import { quantile } from "./quantile.ts";
import { gapsOf, trafficSteps } from "./store.ts";

const MOST_POINTS = 400;
const STEPS_SECONDS = [60, 300, 900, 3600, 4 * 3600, 24 * 3600];
/** Minutes older than this are on their way out: longer ranges are told by the hour. */
const BY_MINUTE_SECONDS = 3 * 86_400;

/** What a target was asked in a range, in steps of at most 400. Throws `observability.range`. */
export async function trafficOf(
  db: Db,
  target: Target,
  range: { from: Date; to: Date },
  now: Date,
  telemetry: Telemetry,
): Promise<Traffic> {
  const seconds = (range.to.getTime() - range.from.getTime()) / 1000;
  if (!(seconds > 0)) throw rangeInvalid(`The range from ${range.from.toISOString()} to ${range.to.toISOString()} is empty`);
  if (seconds > 400 * 86_400) throw rangeInvalid(`A range of ${Math.round(seconds / 86_400)} days is longer than anything is kept`);
  const age = (now.getTime() - range.from.getTime()) / 1000;
  const least = age > BY_MINUTE_SECONDS ? 3600 : 60;
  const stepSeconds = STEPS_SECONDS.find((step) => step >= least && seconds / step <= MOST_POINTS) ?? 86_400;
  const from = new Date(Math.floor(range.from.getTime() / (stepSeconds * 1000)) * stepSeconds * 1000);
  const [rows, gaps] = await Promise.all([
    trafficSteps(db, target, { from, to: range.to, stepSeconds }),
    gapsOf(db, [target], from, range.to),
  ]);
  const steps = grouped(rows, ({ at }) => at.toISOString());
  const revisions = grouped(rows, ({ revision }) => revision);
  return {
    ...target,
    from,
    to: range.to,
    stepSeconds,
    telemetry,
    points: [...steps].map(([at, own]) => {
      const sum = summed(own);
      return {
        at: new Date(at),
        requests: sum.requests,
        errors: sum.errors,
        ...quantiles(sum),
        resets: own.reduce((count, { resets }) => count + resets, 0),
      };
    }),
    gaps: [...grouped(gaps, ({ from: begun, until }) => `${begun.toISOString()} ${until.toISOString()}`).values()].flatMap((own) => {
      const [first] = own;
      const { requests, errors } = summed(own);
      return first ? [{ from: first.from, until: first.until, requests, errors }] : [];
    }),
    revisions: [...revisions].map(([revision, own]) => {
      const sum = summed(own);
      return { revision, requests: sum.requests, errors: sum.errors, ...quantiles(sum) };
    }),
  };
}

const quantiles = (counts: Counts) => ({ p50: quantile(0.5, counts), p95: quantile(0.95, counts), p99: quantile(0.99, counts) });

const summed = (rows: readonly Counts[]): Counts =>
  rows.reduce<Counts>(
    (sum, row) => ({
      requests: sum.requests + row.requests,
      errors: sum.errors + row.errors,
      within: row.within.map((count, n) => count + (sum.within[n] ?? 0)),
    }),
    { requests: 0, errors: 0, within: [] },
  );

function grouped<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

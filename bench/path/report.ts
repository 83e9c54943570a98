import type { Ground } from "./ground.ts";

/** One thing measured, as often as its samples are many. */
export interface Row {
  what: string;
  unit: string;
  samples: number[];
  /** The most that it may be: its median. */
  most?: number;
  /** Why there are no samples. That is no pass. */
  missing?: string;
  /** It was tried, and broke. */
  failed?: boolean;
}

export type Measurement = (ground: Ground) => Promise<Row[]>;

export const median = (values: readonly number[]): number => percentile(values, 50);

/** The nearest-rank percentile; NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** How a row stands to its aim. */
export function verdict({ samples, most, missing }: Row): "kept" | "MISSED" | "not measured" | "" {
  if (missing !== undefined) return "not measured";
  if (most === undefined) return "";
  return median(samples) <= most ? "kept" : "MISSED";
}

/** A table: the median, the least and the most of how many, the aim, and whether it is kept. */
export function print(title: string, rows: readonly Row[]): void {
  const cells = [
    [title, "median", "least to most", "aim", ""],
    ...rows.map((row) => {
      const { what, unit, samples, most, missing } = row;
      if (missing !== undefined) return [what, "-", "-", most === undefined ? "" : `${most} ${unit}`, `not measured: ${missing}`];
      const spread = samples.length > 1 ? `${show(Math.min(...samples))} to ${show(Math.max(...samples))} of ${samples.length}` : "";
      return [what, `${show(median(samples))} ${unit}`, spread, most === undefined ? "" : `${most} ${unit}`, verdict(row)];
    }),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  console.log();
  for (const row of cells) console.log(row.map((cell, column) => (column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join("  ").trimEnd()); // prettier-ignore
}

const show = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));

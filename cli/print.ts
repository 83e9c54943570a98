import { styleText } from "node:util";

/** How a command answers: text for people, JSON for programs. */
export type Output = "text" | "json";

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null | undefined;
  align?: "right";
}

/** What others wrote, in one line. */
export const plain = (text: string): string => text.replaceAll(/\p{Cc}/gu, " "); // what others wrote must not steer the terminal

/** A table as wide as its content; `empty` says what to do where there are no rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => columns.map((column) => plain(String(column.value(row) ?? "-"))));
  const widths = columns.map((column, at) => Math.max(column.title.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => (columns[at]?.align === "right" ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  return [dim(line(columns.map((column) => column.title))), ...cells.map(line)].join("\n");
}

/** Names and values below each other. */
export function facts(pairs: readonly (readonly [string, string | number | null | undefined])[]): string {
  const shown = pairs.filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${dim(name.padEnd(width))}  ${plain(String(value ?? "-"))}`).join("\n");
}

export const dim = (text: string): string => style("dim", text);
export const bold = (text: string): string => style("bold", text);

/** A status as word and sign; colour only adds to it. */
export function status(word: string): string {
  const good = ["passed", "success", "promoted", "healthy", "allow", "applied", "merged", "running", "met", "ok"];
  const bad = ["failed", "denied", "deny", "refused", "rolled_back", "unhealthy", "down", "missed", "burning", "firing"];
  const text = word.replaceAll("_", " ");
  if (good.includes(word)) return style("green", `✓ ${text}`);
  if (bad.includes(word)) return style("red", `✗ ${text}`);
  if (["warned", "warn", "held", "unknown", "stale", "at_risk"].includes(word)) return style("yellow", `! ${text}`);
  return `· ${text}`;
}

/** A digest or id short enough to read. */
export const short = (digest: string | null | undefined): string => (digest ? digest.replace(/^sha256:/, "").slice(0, 12) : "-");

/** `3 minutes ago`, in the reader's language. */
export function ago(instant: string | Date, now: Date): string {
  const seconds = Math.round((new Date(instant).getTime() - now.getTime()) / 1000);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const)
    if (Math.abs(seconds) >= size) return format.format(Math.round(seconds / size), unit);
  return format.format(seconds, "second");
}

const style = (format: "dim" | "bold" | "green" | "red" | "yellow", text: string): string =>
  process.stdout.isTTY && !process.env.NO_COLOR ? styleText(format, text) : text;

import { styleText } from "node:util";
import { interruption } from "./tools.ts";

interface Row {
  stage: string;
  what: string;
  seconds: number;
  evidence: string;
  held: boolean;
}

const tty = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (format: "bold" | "dim" | "green" | "red", text: string) => (tty ? styleText(format, text) : text);

/** Tells the stages as they happen and sums them up at the end. A stage that fails ends the story. */
export class Story {
  readonly rows: Row[] = [];
  /** The stage under way, or the last. */
  now = "";

  async stage<T>(stage: string, act: (say: (line: string) => void) => Promise<{ what: string; evidence: string; value: T }>): Promise<T> {
    this.now = stage;
    console.log(`\n${paint("bold", stage)}`);
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const { what, evidence, value } = await act((line) => console.log(`  ${paint("dim", line)}`));
      this.rows.push({ stage, what, seconds: seconds(), evidence, held: true });
      console.log(`  ${paint("green", "✓")} ${what} ${paint("dim", `(${seconds().toFixed(1)} s)`)}`);
      return value;
    } catch (error) {
      if (interruption.signal.aborted) throw error;
      const what = error instanceof Error ? error.message : String(error);
      this.rows.push({ stage, what: what.split("\n")[0] ?? "", seconds: seconds(), evidence: "-", held: false });
      console.log(`  ${paint("red", "✗")} ${what}`);
      throw error;
    }
  }

  table(): string {
    const cells = [
      ["Stage", "What happened", "Time", "Evidence"],
      ...this.rows.map((row) => [row.stage, `${row.held ? "✓" : "✗"} ${row.what}`, `${row.seconds.toFixed(1)} s`, row.evidence]),
    ];
    const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
    return cells
      .map((row) =>
        row
          .map((cell, column) => (column === 2 ? cell.padStart(widths[2] ?? 0) : cell.padEnd(widths[column] ?? 0)))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }
}

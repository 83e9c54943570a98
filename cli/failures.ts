import { ApiProblem } from "@cairn/api";
import { isFault, messageOf } from "@cairn/platform/kernel/faults.ts";
import { styleText } from "node:util";

/** Exit codes that scripts can trust: 0 done, 1 refused or failed, 2 wrong use, 3 not signed in or not allowed, 4 the platform can't be reached. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ApiProblem) return error.problem.status === 401 || error.problem.status === 403 ? 3 : error.problem.status === 503 ? 4 : 1;
  if (isFault(error)) return error.kind === "unauthenticated" || error.kind === "forbidden" ? 3 : error.kind === "unavailable" ? 4 : error.kind === "invalid" ? 2 : 1;
  return unreachable(error) ? 4 : 1;
}

/** What happened, what to do next, and the code to search for. */
export function explain(error: unknown): string {
  const red = (text: string) => (process.stderr.isTTY && !process.env.NO_COLOR ? styleText("red", text) : text);
  if (error instanceof ApiProblem) {
    const { detail, next, code, errors } = error.problem;
    const places = errors && errors.length > 1 ? errors.map((each) => `  ${each.path}: ${each.message}\n`).join("") : "";
    return `${red("✗")} ${detail}\n${places}  ${next}\n  (${code})`;
  }
  if (isFault(error)) return `${red("✗")} ${error.message}\n  ${error.next}\n  (${error.code})`;
  if (unreachable(error)) return `${red("✗")} The platform can't be reached: ${messageOf((error as Error).cause ?? error)}\n  Start it with: cairn start, or set CAIRN_URL.\n  (cli.unreachable)`;
  return `${red("✗")} ${messageOf(error)}\n  (cli.failed)`;
}

const unreachable = (error: unknown): boolean => error instanceof TypeError && error.message === "fetch failed";

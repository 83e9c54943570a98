import { ApiProblem, type Problem } from "@cairn/api";
import { httpStatus, isFault, messageOf } from "@cairn/platform/kernel/faults.ts";
import { styleText } from "node:util";

/** Exit codes that scripts can trust: 0 done, 1 refused or failed, 2 wrong use, 3 not signed in or not allowed, 4 the platform can't be reached. */
export function exitCodeOf(error: unknown): number {
  const { status } = problemOf(error);
  if (status === 401 || status === 403) return 3;
  if (status === 503) return 4;
  return status === 422 ? 2 : 1;
}

/** What happened, what to do next, and the code to search for. */
export function explain(error: unknown): string {
  const red = (text: string) => (process.stderr.isTTY && !process.env.NO_COLOR ? styleText("red", text) : text);
  const { detail, next, code, errors } = problemOf(error);
  const places = errors && errors.length > 1 ? errors.map((each) => `  ${each.path}: ${each.message}\n`).join("") : "";
  return `${red("✗")} ${detail}\n${places}${next ? `  ${next}\n` : ""}  (${code})`;
}

/** Any failure in the one shape that the API's refusals have: what programs read on standard error with `-o json`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiProblem) return error.problem;
  if (isFault(error)) {
    const { code, message, next, kind, facts } = error;
    return { ...facts, title: code, status: httpStatus[kind], detail: message, code, next };
  }
  if (unreachable(error))
    return made(
      503,
      "cli.unreachable",
      `The platform can't be reached: ${messageOf(error.cause ?? error)}`,
      "Start it with: cairn start, or set CAIRN_URL.",
    );
  const file = ofFile(error);
  if (file) return made(422, "cli.file", file, "Name a file or folder that is there, and that you may read or write.");
  return made(500, "cli.failed", messageOf(error), "");
}

const made = (status: number, code: string, detail: string, next: string): Problem => ({ title: code, status, detail, code, next });

const OF_FILES: Record<string, string> = {
  ENOENT: "is not there",
  EACCES: "may not be read or written by you",
  EPERM: "may not be read or written by you",
  EISDIR: "is a folder",
  ENOTDIR: "leads through what is no folder",
  EEXIST: "is there already",
};

/** What is wrong with a file that was named; undefined where the error is of no file. */
function ofFile(error: unknown): string | undefined {
  const { code = "", path, syscall = "" } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (code === "EISDIR" && path === undefined) return "A folder was named where a file is wanted"; // reading names none
  return path && OF_FILES[code] && !syscall.startsWith("spawn") ? `${path} ${OF_FILES[code]}` : undefined;
}

const unreachable = (error: unknown): error is TypeError => error instanceof TypeError && error.message === "fetch failed";

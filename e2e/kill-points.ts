import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { Client, type QueryConfig } from "pg";

/**
 * Loaded into the server before its own code (NODE_OPTIONS=--import), in tests only: kills server, agent or PostgreSQL (kill -9) at points of its workflows
 * that could not be met at from outside. It reads what the server says to the database, so it knows every step of every workflow without being told.
 * The folder in CAIRN_KILL_POINTS holds `settings.json`, and gets a file for each kill and a line for each in `kills`.
 *
 * A point is a step of a workflow, a moment of it and a victim; each is met once in a folder, whichever run comes by first.
 * `begun`: the step is shown as running, and has done nothing yet. `inside`: it has done a part, up to its n-th call of database, agent, git or file system;
 * n is drawn by the seed. `done`: it has done all, and its checkpoint is not written. A rollback of STEP is the step `undo STEP`.
 */
export interface Settings {
  seed: number;
  home: string;
  victims: Victim[];
  /** Which points to meet: parts of `VICTIM | WORKFLOW | STEP | MOMENT`, one of which must be in it. Empty: all. */
  only: string[];
  /** A step whose queries fail, so that its run is rolled back: `WORKFLOW/STEP`. */
  fails: string | null;
}
export type Victim = "server" | "agent" | "postgres";
export type Moment = "begun" | "inside" | "done";
export const MOMENTS: readonly Moment[] = ["begun", "inside", "done"];

export const pointOf = (victim: Victim, workflow: string, step: string, moment: Moment): string =>
  `${victim} | ${workflow} | ${step} | ${moment}`;
/** The file that says that a point was met. */
export const metFile = (folder: string, point: string): string => join(folder, `met ${point.replaceAll("/", ":")}`);

interface Open {
  workflow: string;
  step: string;
  events: number;
}

const folder = process.env.CAIRN_KILL_POINTS;
if (folder && process.argv[1]?.endsWith("/platform/server/main.ts")) watch(folder);

function watch(into: string): void {
  const settings = (): Settings => JSON.parse(readFileSync(join(into, "settings.json"), "utf8")) as Settings;
  const workflows = new Map<string, string>();
  const open = new Map<string, Open>();
  let socketFolder = "";

  const victims: Record<Victim, () => number | undefined> = {
    server: () => process.pid,
    agent: () => pidOf(["agent/main.ts", settings().home]),
    postgres: () => Number(readFileSync(join(socketFolder, ".s.PGSQL.5432.lock"), "utf8").split("\n")[0]),
  };

  /** Kills one victim that has not been killed at this point yet. */
  const killAt = ({ workflow, step, events }: Open, moment: Moment, among = settings().victims): void => {
    const { only } = settings();
    for (const victim of among) {
      const point = pointOf(victim, workflow, step, moment);
      if (only.length > 0 && !only.some((part) => point.includes(part))) continue;
      if (!isNew(point)) continue;
      try {
        const pid = victims[victim]();
        if (pid === undefined) throw new Error("it is not there");
        appendFileSync(join(into, "kills"), `${point}${moment === "inside" ? ` (call ${events})` : ""}\n`);
        process.kill(pid, "SIGKILL");
      } catch {
        rmSync(metFile(into, point), { force: true }); // it was dead already
      }
      return; // one at a time
    }
  };
  const isNew = (point: string): boolean => {
    try {
      writeFileSync(metFile(into, point), "", { flag: "wx" });
      return true;
    } catch {
      return false;
    }
  };

  /** How many calls a step made so far at most: within them the inside is drawn. */
  const countFile = ({ workflow, step }: Open) => join(into, `calls ${workflow} ${step}`.replaceAll("/", ":"));
  const numberIn = (file: string): number => {
    try {
      return Number(readFileSync(file, "utf8"));
    } catch {
      return 0;
    }
  };

  const begins = (run: string, step: string): void => {
    const workflow = workflows.get(run);
    if (workflow === undefined) return;
    const now = { workflow, step, events: 0 };
    open.set(run, now);
    killAt(now, "begun");
  };
  const ends = (run: string, step: string): void => {
    const now = open.get(run);
    if (!now || now.step !== step) return;
    const file = countFile(now);
    if (now.events === 0) for (const victim of settings().victims) isNew(pointOf(victim, now.workflow, step, "inside")); // there is no inside
    else if (now.events > numberIn(file)) writeFileSync(file, String(now.events));
    killAt(now, "done");
    open.delete(run);
  };
  /** A call that a step may have made. The more often a step came by without being met, the earlier it is met. */
  const event = (): void => {
    for (const now of open.values()) {
      now.events += 1;
      const { seed, victims: wanted } = settings();
      for (const victim of wanted) {
        const point = pointOf(victim, now.workflow, now.step, "inside");
        const tries = numberIn(join(into, `tries ${point}`.replaceAll("/", ":")));
        if (now.events === 1) writeFileSync(join(into, `tries ${point}`.replaceAll("/", ":")), String(tries + 1));
        const before = now.events === 1 ? tries : Math.max(0, tries - 1);
        const within = Math.max(1, Math.ceil((numberIn(countFile(now)) || 6) / 2 ** Math.floor(before / 2)));
        if (now.events === 1 + (drawn(`${seed} ${point} ${before}`) % within)) {
          killAt(now, "inside", [victim]);
          break;
        }
      }
    }
  };

  const query = Client.prototype.query as (...args: unknown[]) => unknown;
  Client.prototype.query = function (this: Client, ...args: unknown[]) {
    socketFolder = this.host;
    const { text = "", values } = typeof args[0] === "string" ? { text: args[0], values: args[1] } : (args[0] as QueryConfig);
    const given = (Array.isArray(values) ? values : []) as string[];
    if (text.includes('insert into "workflow_run"')) workflows.set(given[0] ?? "", given[1] ?? "");
    // Of beginStep in platform/orchestrator/store.ts: state, name, time, run.
    const isBegin = text.includes("insert into workflow_step as step");
    // Of tellStep: detail, run, name.
    const isUndo = /update workflow_step set detail/.test(text) && given[0] === "Rolling back.";
    // Of the library's checkpoint: run, position, output, error, name.
    if (text.includes("operation_outputs") && /^\s*insert/i.test(text)) ends(given[0] ?? "", (given[4] ?? "").replace(/\.\d+$/, ""));
    const own = /workflow_|dbos|^\s*(begin|commit|rollback|savepoint|release|listen)/i.test(text);
    if (!own) {
      const { fails } = settings();
      if (fails !== null && [...open.values()].some(({ workflow, step }) => fails === `${workflow}/${step}`))
        return Promise.reject(new Error("a query that a test made fail"));
      event();
    }
    const result = query.apply(this, args);
    if (!(result instanceof Promise)) return result;
    return result.then((answer: { rows?: { id?: string; workflow?: string }[] }) => {
      if (text.includes('from "workflow_run"'))
        for (const { id, workflow } of answer.rows ?? []) if (id && workflow) workflows.set(id, workflow);
      if (isBegin && answer.rows?.length) begins(given[3] ?? "", given[1] ?? "");
      if (isUndo) begins(given[1] ?? "", `undo ${given[2]}`);
      return answer;
    });
  } as typeof Client.prototype.query;

  const require = createRequire(import.meta.url);
  const counted = (module: string, names: string[], of: (module: object) => Record<string, unknown> = (it) => it as never) => {
    const its = of(require(module) as object) as Record<string, (...args: unknown[]) => unknown>;
    for (const name of names) {
      const before = its[name]!;
      its[name] = function (this: unknown, ...args: unknown[]) {
        // As it begins or once it has begun: git is then under way without us.
        const first = args.length % 2 === 0;
        if (first) event();
        const result = before.apply(this, args);
        if (!first) event();
        return result;
      };
    }
  };
  counted("node:child_process", ["spawn"]);
  counted("node:fs/promises", ["rename", "mkdir", "rm", "link", "writeFile"]);
  counted("node:net", ["connect"], (net) => (net as { Socket: { prototype: Record<string, unknown> } }).Socket.prototype);
  syncBuiltinESMExports();
}

const drawn = (text: string): number => createHash("sha256").update(text).digest().readUInt32BE();

/** A program of node's that was called with these words. The agent's keeper has them among its own: it is a shell, and must live to see the agent's death. */
function pidOf(words: string[]): number | undefined {
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each)))
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      if (command[0]?.endsWith("/node") && words.every((word) => command.some((part) => part === word || part.endsWith(`/${word}`))))
        return Number(name);
    } catch {
      // it has ended
    }
  return undefined;
}

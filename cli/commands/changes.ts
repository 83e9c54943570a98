import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { changeName, tell, until } from "../answer.ts";
import { ago, bold, dim, facts, plain, status, table } from "../print.ts";
import { session, type Session } from "../session.ts";
import { watch } from "./releases.ts";

export type Review = Answered<"getChange">;

export function changeCommands(program: Command): void {
  const changes = program.command("changes").description("change requests");
  changes
    .command("list", { isDefault: true })
    .description("open change requests; with --state merged or closed others")
    .option("--repository <name>")
    .option("-t, --team <team>", "of this team's services")
    .option("--state <state>", "open, merged or closed", "open")
    .action(async (options: { repository?: string; team?: string; state: string }, command: Command) => {
      const { api } = await session(process.env);
      const { repository, team, state } = options;
      const query = { state: state as "open", ...(repository && { repository }), ...(team && { team }) };
      tell(command, await answer(api.GET("/api/changes", { params: { query } })), (found) =>
        table(
          found.changes,
          [
            { title: "CHANGE", value: (row) => `${row.repository}/${row.number}` },
            { title: "TITLE", value: (row) => row.title },
            { title: "AUTHOR", value: (row) => row.author },
            { title: "CHECKS", value: (row) => row.checks.map((check) => `${check.name} ${check.state}`).join(", ") },
            { title: "OPENED", value: (row) => ago(row.createdAt, new Date()) },
          ],
          "No change request.",
        ),
      );
    });
  const show = async (name: string, options: { watch?: boolean }, command: Command) => {
    const here = await session(process.env);
    if (options.watch) tellChecked(command, await checked(here, name));
    else tell(command, await review(here, name), changeText);
  };
  for (const [parent, name, what] of [
    [changes, "show", "one change request: checks, reasons, approvals; REPOSITORY/NUMBER"],
    [program, "change", "the same as changes show"],
  ] as const)
    parent.command(`${name} <change>`).description(what).option("-w, --watch", "until its checks have reported").action(show);
  changes
    .command("open <repository> <branch>")
    .description("ask for a pushed branch to become part of the default branch")
    .option("-t, --title <title>")
    .option("-d, --description <text>", "", "")
    .action(async (repository: string, branch: string, options: { title?: string; description: string }, command: Command) => {
      const { api } = await session(process.env);
      const body = { repository, branch, title: options.title ?? branch, description: options.description };
      tell(
        command,
        await answer(api.POST("/api/changes", { body })),
        (change) =>
          `Opened ${change.repository}/${change.number}. Watch its checks: cairn changes show ${change.repository}/${change.number} --watch`,
      );
    });
  changes
    .command("diff <change>")
    .description("the files of a change request")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/changes/{repository}/{number}/diff", { params: { path: changeName(name) } })), (diff) =>
        diff.files.map((file) => file.patch ?? `${file.status} ${file.path}`).join("\n"),
      );
    });
  changes
    .command("approve <change>")
    .description("approve what it holds now")
    .action(async (name: string, _options, command: Command) => {
      await approveChange(await session(process.env), name, command);
    });
  changes
    .command("check <change>")
    .description("check what it holds now once more, in a new build")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      const asked = await answer(api.POST("/api/changes/{repository}/{number}/check", { params: { path: changeName(name) } }));
      tell(command, asked, () => `Under way: cairn changes show ${name} --watch`);
    });
  changes
    .command("close <change>")
    .description("give it up; the branch stays")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(api.POST("/api/changes/{repository}/{number}/close", { params: { path: changeName(name) } })),
        () => `Closed ${name}.`,
      );
    });

  program
    .command("merge <change>")
    .description("merge a change request; waits for its checks")
    .option("-w, --watch", "until what was merged is delivered")
    .action(async (name: string, options: { watch?: boolean }, command: Command) => {
      const here = await session(process.env);
      const { head } = await checked(here, name);
      const merged = await answer(
        here.api.POST("/api/changes/{repository}/{number}/merge", { params: { path: changeName(name) }, body: { head } }),
      );
      tell(command, merged, (change) =>
        [
          `Merged ${name}: delivery has begun.`,
          ...change.warnings.map((warning) => `${status("warned")}  ${warning}`),
          ...(options.watch ? [] : [`Watch it: cairn releases ${change.repository} --watch`]),
        ].join("\n"),
      );
      if (options.watch) await watch(here, merged.repository);
    });
}

/** Approves the head of a change request and what merging it would give, as they are now. */
export async function approveChange(here: Session, name: string, command: Command): Promise<void> {
  const { head, result } = await review(here, name);
  const body = { head, ...(result !== null && { result }) };
  tell(
    command,
    await answer(here.api.POST("/api/changes/{repository}/{number}/approve", { params: { path: changeName(name) }, body })),
    () => `Approved ${name}.`,
  );
}

export const review = (here: Session, name: string): Promise<Review> =>
  answer(here.api.GET("/api/changes/{repository}/{number}", { params: { path: changeName(name) } }));

/** A change request once every check of its head has reported; what is waited for is told on the way, on standard error. */
export function checked(here: Session, name: string): Promise<Review> {
  const told = new Set<string>();
  const reported = ({ state, checks }: Review) => state !== "open" || (checks.length > 0 && !checks.some(isUnderWay));
  return until(
    () => review(here, name),
    reported,
    (change) => {
      if (told.size === 0 && reported(change)) return;
      for (const check of change.checks) {
        const line = `${status(check.state)}  ${check.name}: ${plain(check.summary)}`;
        if (!told.has(line)) console.error(line);
        told.add(line);
      }
    },
  );
}

/** Tells a change request whose checks were waited for; one that failed makes the exit code 1. */
export function tellChecked(command: Command, change: Review): void {
  tell(command, change, changeText);
  if (change.checks.some(({ state }) => state === "failed")) process.exitCode = 1;
}

const isUnderWay = ({ state }: Review["checks"][number]): boolean => state === "pending" || state === "running";

export const changeText = (change: Review): string =>
  [
    `${bold(`${change.repository}/${change.number} ${change.title}`)}  ${status(change.state)}`,
    facts([
      ["Author", change.author],
      ["Branch", `${change.branch} at ${change.head.slice(0, 10)}`],
      ["Merge", change.state !== "open" ? undefined : change.merge.allowed ? "allowed" : `${change.merge.because}. ${change.merge.next}`],
    ]),
    "",
    ...change.checks.flatMap((check) => [
      `${status(check.state)}  ${check.name}: ${check.summary}`,
      ...check.details.map((detail) => dim(`    ${detail}`)),
    ]),
    ...change.warnings.map((warning) => `${status("warned")}  ${warning}`),
  ].join("\n");

import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell, until, wantsJson } from "../answer.ts";
import { bold, dim, facts, short, status, table } from "../print.ts";
import { ruleText } from "../rules.ts";
import { session, type Session } from "../session.ts";

type PlanAnswer = Answered<"getPlan">;
type Run = Answered<"getRun">;
type GoldenPath = Answered<"getGoldenPath">;
const prompts = () => import("@clack/prompts");
const ENDED = ["success", "failed", "rolled_back"];

export function createCommands(program: Command): void {
  const paths = program.command("paths").description("golden paths: what a new service can be made from");
  paths
    .command("list", { isDefault: true })
    .description("the golden paths on offer")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/golden-paths")), ({ goldenPaths }) =>
        table(
          goldenPaths,
          [
            { title: "NAME", value: (row) => row.name },
            { title: "VERSION", value: (row) => row.version },
            { title: "WHAT", value: (row) => row.description },
          ],
          "No golden path is offered.",
        ),
      );
    });

  paths
    .command("show <golden-path>")
    .description("what a golden path asks")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/golden-paths/{name}", { params: { path: { name } } })), (path) =>
        [
          `${bold(path.name)} ${path.version}: ${path.description}`,
          "",
          table(
            path.parameters,
            [
              { title: "ANSWER", value: (row) => row.name },
              { title: "UNLESS GIVEN", value: (row) => (row.required ? "required" : JSON.stringify(row.default ?? "")) },
              { title: "ONE OF", value: (row) => row.choices?.join(", ") ?? (row.type === "boolean" ? "true, false" : row.pattern) },
              { title: "WHAT", value: (row) => row.description },
            ],
            "It asks nothing.",
          ),
        ].join("\n"),
      );
    });

  program
    .command("create <golden-path>")
    .description("plan a new service; changes nothing until the plan is applied")
    .option("-a, --answer <name=value...>", "an answer; what is missing is asked for", [])
    .option("--apply", "apply the plan at once, and wait")
    .option("--no-wait", "with --apply: don't wait for the end")
    .action(async (name: string, options: { answer: string[]; apply?: boolean; wait: boolean }, command: Command) => {
      const here = await session(process.env);
      const path = await answer(here.api.GET("/api/golden-paths/{name}", { params: { path: { name } } }));
      const interactive = process.stdin.isTTY && process.stdout.isTTY && !wantsJson(command);
      const given = await answers(here, path, options.answer, interactive);
      const plan = await answer(here.api.POST("/api/plans", { body: { goldenPath: name, answers: given } }));
      if (!options.apply) tell(command, plan, planText);
      if (!options.apply && isDenied(plan)) {
        process.exitCode = 1;
        return;
      }
      const go =
        options.apply || (interactive && (await (await prompts()).confirm({ message: "Apply this plan?", initialValue: false })) === true);
      if (go) await apply(here, plan.digest, command, options.wait);
    });

  program
    .command("plan <digest>")
    .description("show a plan")
    .action(async (digest: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/plans/{digest}", { params: { path: { digest } } })), planText);
    });

  program
    .command("apply <digest>")
    .description("carry out exactly this plan; refused when what it was made on has changed")
    .option("--no-wait", "don't wait for the end")
    .action(async (digest: string, options: { wait: boolean }, command: Command) => {
      await apply(await session(process.env), digest, command, options.wait);
    });

  program
    .command("delete <service>")
    .description("plan to delete a service with its repository, what runs and what it runs on; changes nothing until the plan is applied")
    .option("--drop-data", "databases that hold tables go too; else they are kept under another name")
    .option("--apply", "carry the plan out at once")
    .option("--no-wait", "with --apply: don't wait for the end")
    .action(async (service: string, options: { dropData?: boolean; apply?: boolean; wait: boolean }, command: Command) => {
      const here = await session(process.env);
      const plan = await answer(here.api.POST("/api/plans/deletions", { body: { service, dropData: options.dropData === true } }));
      if (options.apply) return apply(here, plan.digest, command, options.wait);
      tell(command, plan, planText);
    });

  const runs = program.command("runs").description("workflows: what is under way, and how it ended");
  runs
    .command("list", { isDefault: true })
    .description("the last workflows")
    .option("--about <reference>", "a service, or an entity: component:default/orders")
    .action(async (options: { about?: string }, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(
          api.GET("/api/runs", {
            params: {
              query: {
                limit: 30,
                ...(options.about
                  ? { about: options.about.includes(":") ? options.about : `component:default/${options.about}` }
                  : { except: "platform:audit" }),
              },
            },
          }),
        ),
        (found) =>
          table(
            found.runs,
            [
              { title: "RUN", value: (row) => row.id },
              { title: "WHAT", value: (row) => row.workflow },
              { title: "STATE", value: (row) => status(row.state) },
              { title: "ABOUT", value: (row) => row.about },
            ],
            "No workflow has run yet.",
          ),
      );
    });
  const show = async (id: string, options: { watch?: boolean }, command: Command) => {
    const here = await session(process.env);
    const run = options.watch ? await watchRun(here, id, !wantsJson(command)) : await getRun(here, id);
    tell(command, run, runText);
    if (run.state === "failed" || run.state === "rolled_back") process.exitCode = 1;
  };
  for (const [parent, name, what] of [
    [runs, "show", "the steps of a workflow"],
    [program, "run", "the same as runs show"],
  ] as const)
    parent.command(`${name} <run>`).description(what).option("-w, --watch", "until it ends").action(show);
}

async function apply(here: Session, digest: string, command: Command, wait: boolean): Promise<void> {
  const { run: id } = await answer(here.api.POST("/api/plans/{digest}/apply", { params: { path: { digest } } }));
  if (!wait) return tell(command, { run: id }, () => `Under way: cairn runs show ${id} --watch`);
  const run = await watchRun(here, id, !wantsJson(command));
  tell(command, run, (ended) => {
    if (ended.state !== "success") return runText(ended);
    const made = ended.output as { repository?: string; change: number; cloneUrl: string; service: string; kept?: string[] };
    if (made.repository === undefined)
      return [`${made.service} is gone.`, ...(made.kept?.length ? [`Kept, since it held data: ${made.kept.join(", ")}`] : [])].join("\n");
    return [
      "",
      facts([
        ["Repository", made.cloneUrl],
        ["First change request", `${made.repository}/${made.change}`],
      ]),
      "",
      `Next: cairn changes show ${made.repository}/${made.change}, then cairn merge ${made.repository}/${made.change}`,
    ].join("\n");
  });
  if (run.state !== "success") process.exitCode = 1;
}

const getRun = (here: Session, id: string): Promise<Run> => answer(here.api.GET("/api/runs/{id}", { params: { path: { id } } }));

/** Prints each step as it ends; a line a step, so that it also reads well in a log. */
export async function watchRun(here: Session, id: string, loud: boolean): Promise<Run> {
  const told = new Set<string>();
  return until(
    () => getRun(here, id),
    (run) => ENDED.includes(run.state),
    (run) => {
      if (!loud) return;
      for (const step of run.steps) {
        const line = `${step.name} ${step.state}`;
        if (told.has(line) || step.state === "pending" || step.state === "running") continue;
        told.add(line);
        console.log(`${status(step.state)}  ${step.name}${step.waitsFor ? dim(`, for ${step.waitsFor}`) : ""}`);
      }
    },
  );
}

/** Waits for a run's end, telling its steps. Throws what it failed by. */
export async function ran(here: Session, id: string, command: Command, done: string): Promise<void> {
  const run = await watchRun(here, id, !wantsJson(command));
  if (run.error) throw new Fault("failed", run.error.code, run.error.message, run.error.next);
  tell(command, run, () => done);
}

const runText = (run: Run): string =>
  [
    `${bold(run.workflow)}  ${status(run.state)}`,
    ...run.steps.map((step) => `  ${status(step.state)}  ${step.name}${step.detail ? dim(`  ${step.detail}`) : ""}`),
    ...(run.error ? [`${run.error.message}\n  ${run.error.next}\n  (${run.error.code})`] : []),
  ].join("\n");

export function planText({ plan, digest, state }: PlanAnswer): string {
  const files = plan.changes.filter((change) => change.kind === "file");
  const others = plan.changes.filter((change) => change.kind !== "file");
  const money = plan.cost.monthly === null ? "unknown" : `${plan.cost.monthly.toFixed(2)} ${plan.cost.currency} a month`;
  return [
    `${bold(plan.title)}  ${status(state)}`,
    "",
    table(
      others,
      [
        { title: "ACTION", value: (row) => row.action },
        { title: "WHAT", value: (row) => row.kind.replaceAll("_", " ") },
        { title: "NAME", value: (row) => row.id },
        { title: "WHERE", value: (row) => row.environment ?? "" },
        { title: "", value: (row) => row.detail },
      ],
      "",
    ),
    "",
    facts([
      ["Files", files.length > 0 ? `${files.length} in the first change request` : undefined],
      ["Cost", `${money}${plan.cost.unknown.length > 0 ? ` (not known: ${plan.cost.unknown.join(", ")})` : ""}`],
      ["Rollout", plan.rollout.map((step) => `${step.environment} ${step.stepsPercent.join(" → ")} %`).join(", ") || undefined],
      ["Undo", plan.rollback],
    ]),
    "",
    ...decisionsText(plan.decisions),
    "",
    "Not known yet:",
    ...plan.unknowns.map((unknown) => `  ${unknown}`),
    "",
    isDenied({ plan })
      ? "Nothing has changed, and this can't be carried out: a rule denies it. Mend what it names, and plan anew."
      : `Nothing has changed. To carry out exactly this (${short(digest)}): cairn apply ${digest}`,
  ].join("\n");
}

/** A plan that a rule denies is shown and kept, and refused when it is applied. */
export const isDenied = ({ plan: { decisions } }: Pick<PlanAnswer, "plan">): boolean => decisions.some(({ outcome }) => outcome === "deny");

/** What policy says, once for all environments that are told the same. */
function decisionsText(decisions: PlanAnswer["plan"]["decisions"]): string[] {
  const places = new Map<string, { where: string[]; lines: string[] }>();
  for (const { environment, point, outcome, results } of decisions) {
    const told = results.filter((result) => result.outcome !== "passed" && result.mode !== "audit");
    const lines = told.map((result) => ruleText({ ...result, subject: result.subject.replace(` in ${environment}`, "") }));
    const key = [outcome, ...lines].join("\n");
    const one = places.get(key) ?? { where: [], lines: [status(outcome), ...lines] };
    one.where.push(environment ?? point);
    places.set(key, one);
  }
  return [...places.values()].flatMap(({ where, lines: [head, ...lines] }) => [`Policy ${where.join(", ")}: ${head}`, ...lines]);
}

/** Answers by -a, then by asking where somebody is there to ask. */
export async function answers(
  here: Session,
  path: GoldenPath,
  given: string[],
  interactive: boolean,
): Promise<Record<string, string | boolean>> {
  const known: Record<string, string | boolean> = {};
  for (const each of given) {
    const at = each.indexOf("=");
    if (at < 1) throw new Fault("invalid", "cli.answer", `${each} is no answer`, "Write -a NAME=VALUE.");
    const [name, value] = [each.slice(0, at), each.slice(at + 1)];
    const parameter = path.parameters.find((candidate) => candidate.name === name);
    known[name] = parameter?.type === "boolean" && (value === "true" || value === "false") ? value === "true" : value;
  }
  if (!interactive) return known;
  for (const parameter of path.parameters.filter(({ name, required }) => required && known[name] === undefined))
    known[parameter.name] = await ask(here, parameter);
  return known;
}

async function ask(here: Session, parameter: GoldenPath["parameters"][number]): Promise<string> {
  const { isCancel, select, text } = await prompts();
  const teams = parameter.name === "owner_team" ? (await answer(here.api.GET("/api/catalog/groups"))).map((group) => group.name) : [];
  const choices = parameter.choices ?? (teams.length > 0 ? teams : undefined);
  const message = `${parameter.name.replaceAll("_", " ")}: ${parameter.description}`;
  const pattern = parameter.pattern;
  const given = choices
    ? await select({ message, options: choices.map((value) => ({ value, label: value })) })
    : await text({
        message,
        validate: (value) => (pattern && !new RegExp(pattern, "u").test(value ?? "") ? `It must match ${pattern}` : undefined),
      });
  if (isCancel(given)) throw new Fault("invalid", "cli.cancelled", "Nothing was planned", "Start again whenever you like.");
  return given;
}

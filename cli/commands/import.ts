import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { answer } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell, until, wantsJson } from "../answer.ts";
import { detect, type Proposal } from "../import/detect.ts";
import { git, gitText, lastOf } from "../import/git.ts";
import { joinHistories, type Joined } from "../import/joined.ts";
import { fetchSource, type Source } from "../import/source.ts";
import { bold, dim, status, table } from "../print.ts";
import { session, type Session } from "../session.ts";
import { changeText, checked, review, type Review } from "./changes.ts";
import { answers, isDenied, planText, watchRun } from "./create.ts";
import { helper } from "./git.ts";

const PATH = "existing-code";
const BRANCH = "cairn/first-change";

interface Options {
  name: string;
  team: string;
  answer: string[];
  branch?: string;
  apply?: boolean;
  resume?: boolean;
  wait: boolean;
}

export function importCommands(program: Command): void {
  program
    .command("import <repository>")
    .description("bring a repository that exists, with its history: by URL or folder; changes nothing until --apply")
    .requiredOption("-n, --name <name>", "what the service is called here")
    .requiredOption("-t, --team <team>", "the team that owns it")
    .option("-a, --answer <name=value...>", "an answer of the golden path existing-code, instead of what is proposed", [])
    .option("-b, --branch <branch>", "instead of the repository's default branch")
    .option("--apply", "carry it out: create the service, and push code and history to its first change request")
    .option("--resume", "with --apply, after a push that was refused: the service is there, bring the code")
    .option("--no-wait", "don't wait for the checks")
    .addHelpText("after", "\nIt is cloned on this machine, by your own git and its credentials; the platform fetches nothing.")
    .action(async (from: string, options: Options, command: Command) => {
      const here = await session(process.env);
      const folder = await mkdtemp(join(tmpdir(), "cairn-import-"));
      try {
        const source = await fetchSource(from, join(folder, "repository.git"), options.branch);
        await bring(here, from.replace(/\/\/[^/@]+@/, "//"), source, options, command);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
}

async function bring(here: Session, from: string, source: Source, options: Options, command: Command): Promise<void> {
  const of = { service: options.name, owner: options.team };
  const loud = !wantsJson(command);
  if (!options.resume) {
    const proposal = await detect({ paths: source.files.map(({ path }) => path), read: source.read });
    if (loud) console.log(proposalText(from, source, proposal));
    const given = await answersFor(here, proposal, options, loud);
    const plan = await answer(here.api.POST("/api/plans", { body: { goldenPath: PATH, answers: given } }));
    if (!options.apply) {
      if (isDenied(plan)) process.exitCode = 1;
      return tell(command, { commit: source.commit, proposal, plan }, () =>
        [
          planText(plan),
          ...(isDenied(plan) ? [] : ["", "That creates the service; its code comes by the same command with --apply."]),
        ].join("\n"),
      );
    }
    const { run: id } = await answer(here.api.POST("/api/plans/{digest}/apply", { params: { path: { digest: plan.digest } } }));
    const run = await watchRun(here, id, loud);
    if (run.state !== "success")
      throw new Fault(
        "failed",
        run.error?.code ?? "cli.import_not_created",
        run.error?.message ?? `${options.name} was not created`,
        `cairn runs show ${id} tells more.`,
      );
  }
  const name = `${options.name}/1`;
  const before = await review(here, name);
  if (before.state !== "open" || before.branch !== BRANCH)
    throw new Fault(
      "conflict",
      "cli.import_not_open",
      `${name} is not the open first change request of an import`,
      "Bring the code by a branch of its own: git push, then cairn changes open.",
    );
  const repository = (await answer(here.api.GET("/api/repositories/{name}", { params: { path: { name: options.name } } }))).cloneUrl;
  const pushedAt = new Date();
  const joined = await pushed(here, repository, source, of, `cairn import ${from} -n ${options.name} -t ${options.team} --apply --resume`);
  const change = options.wait ? await checkedAt(here, name, joined.commit) : await review(here, name);
  await forgetBefore(here, name, pushedAt);
  tell(command, { ...joined, change }, () => [joinedText(source, joined), "", changeText(change), "", nextText(name, change)].join("\n"));
}

/** What was given, else what was found. A health path that nothing names is asked for: the golden path's own guess would keep the service from ever being ready. */
async function answersFor(here: Session, proposal: Proposal, options: Options, loud: boolean): Promise<Record<string, string | boolean>> {
  const path = await answer(here.api.GET("/api/golden-paths/{name}", { params: { path: { name: PATH } } }));
  const needed = [...path.parameters.filter(({ required }) => required).map(({ name }) => name), "health_path"];
  const asked = { ...path, parameters: path.parameters.map((one) => ({ ...one, required: needed.includes(one.name) })) };
  const interactive = process.stdin.isTTY && process.stdout.isTTY && loud;
  const given = [`service_name=${options.name}`, `owner_team=${options.team}`, ...options.answer];
  const known = new Set(given.map((one) => one.slice(0, one.indexOf("="))));
  const found = Object.entries(proposal.answers).flatMap(([name, value]) => (known.has(name) ? [] : [`${name}=${value}`]));
  const all = await answers(here, asked, [...given, ...found], interactive);
  const missing = needed.filter((name) => all[name] === undefined);
  if (missing.length > 0)
    throw new Fault(
      "invalid",
      "cli.import_answer_missing",
      `The repository does not tell: ${missing.join(", ")}`,
      [
        ...missing.map((name) => `-a ${name}=…  ${path.parameters.find((one) => one.name === name)?.description ?? ""}`),
        ...proposal.notes,
      ].join("\n  "),
      { missing },
    );
  return all;
}

async function pushed(here: Session, url: string, source: Source, of: { service: string; owner: string }, again: string): Promise<Joined> {
  const remote = ["-C", source.folder, "-c", "credential.helper=", "-c", `credential.helper=${helper()}`];
  await gitText([...remote, "fetch", "--quiet", "--no-tags", "--no-auto-gc", url, `+refs/heads/${BRANCH}:refs/cairn/generated`]);
  const generated = await gitText(["-C", source.folder, "rev-parse", "refs/cairn/generated"]);
  const { principal } = await answer(here.api.GET("/api/auth/me"));
  const joined = await joinHistories(source, generated, of, {
    name: principal.displayName,
    email: `${principal.ref.replace(/^.*\//, "")}@localhost`,
  });
  const push = await git([...remote, "push", "--quiet", url, `${joined.commit}:refs/heads/${BRANCH}`]);
  if (push.code !== 0)
    throw new Fault(
      "conflict",
      "cli.import_push_refused",
      `${of.service} exists, but the push of its code was refused:\n  ${lastOf(push.stderr, 6)}`,
      `Mend the repository, then go on: ${again}\n  Or give it up: cairn delete ${of.service}`,
    );
  return joined;
}

/** What was generated had no code yet: that its checks failed is no news to anybody. */
async function forgetBefore({ api }: Session, name: string, pushedAt: Date): Promise<void> {
  const { items } = await answer(api.GET("/api/inbox", { params: { query: { unread: "true", limit: 50 } } }));
  const ids = items.filter(({ link, at }) => link === `/changes/${name}` && new Date(at) < pushedAt).map(({ id }) => id);
  if (ids.length > 0) await answer(api.POST("/api/inbox/read", { body: { ids } }));
}

const checkedAt = async (here: Session, name: string, commit: string): Promise<Review> => {
  await until(
    () => review(here, name),
    (change) => change.head === commit || change.state !== "open",
  );
  return checked(here, name);
};

const commits = ({ commits: count }: Source): string => (count === 1 ? "1 commit" : `${count} commits`);

const proposalText = (from: string, source: Source, { answers: found, because, notes }: Proposal): string =>
  [
    `${bold(from)}  ${source.branch} at ${source.commit.slice(0, 10)}, ${commits(source)}, ${source.files.length} files`,
    table(
      Object.entries(found),
      [
        { title: "PROPOSED", value: ([name]) => name },
        { title: "ANSWER", value: ([, value]) => value },
        { title: "FOUND IN", value: ([name]) => because[name] ?? "" },
      ],
      "Its files say nothing of how it is built, tested and started.",
    ),
    ...notes.map((note) => dim(note)),
    "",
  ].join("\n");

const joinedText = (source: Source, { commit, kept, replaced, foreignOwners }: Joined): string =>
  [
    "",
    `Brought ${commits(source)}; ${BRANCH} is at ${commit.slice(0, 10)}.`,
    ...(kept.length > 0 ? [`Kept as the repository has them: ${kept.join(", ")}`] : []),
    ...(foreignOwners
      ? [
          `${status("warned")}  CODEOWNERS does not name the owning team: who it names must be teams or people of the catalog here, to approve anything`,
        ]
      : []),
    ...replaced.map(({ path, because }) => `${status("warned")}  Generated in place of the repository's ${path}: ${because}`),
  ].join("\n");

const nextText = (name: string, change: Review): string =>
  change.checks.some(({ state }) => state === "failed")
    ? `Next: mend it on ${BRANCH} and push (docs/ship-a-service.md), then cairn merge ${name}`
    : `Next: cairn changes show ${name}, then cairn merge ${name}`;

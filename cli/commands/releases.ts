import { Option, type Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell, until } from "../answer.ts";
import { ago, bold, dim, facts, short, status, table } from "../print.ts";
import { session, type Session } from "../session.ts";
import { approveChange } from "./changes.ts";
import { ran } from "./create.ts";

type Releases = Answered<"listReleases">;
type State = Releases["releases"][number]["state"] | "active";
const STATES: State[] = ["active", "planned", "rolling_out", "held", "promoted", "rolled_back", "refused", "failed", "superseded"];
interface ListOptions {
  environment?: string;
  team?: string;
  state?: State;
  watch?: boolean;
}

export function releaseCommands(program: Command): void {
  const releases = program.command("releases").description("what went where, and why");
  releases
    .command("list [service]", { isDefault: true })
    .description("the last releases, of one service where it is named")
    .option("-e, --environment <environment>")
    .option("-t, --team <team>", "of this team's services")
    .addOption(new Option("--state <state>", "how they stand; active are those that have not ended").choices(STATES))
    .option("-w, --watch", "until the delivery under way has ended")
    .action(async (service: string | undefined, options: ListOptions, command: Command) => {
      const here = await session(process.env);
      const { environment, team, state } = options;
      const query = {
        limit: 30,
        ...(service && { service }),
        ...(environment && { environment }),
        ...(team && { team }),
        ...(state && { state }),
      };
      if (options.watch && service) await watch(here, service);
      tell(command, await answer(here.api.GET("/api/releases", { params: { query } })), releasesText);
    });
  program
    .command("rollback <release-or-service>")
    .description("roll back a release that is under way; or bring back what served before, of a service or of a release that has ended")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .option("-e, --environment <environment>", "of a service", "production")
    .option("--to <release>", "bring back this release, not the one before")
    .option("-w, --watch", "until it has ended")
    .action(async (name: string, options: { because: string; environment: string; to?: string; watch?: boolean }, command: Command) => {
      const { api } = await session(process.env);
      const { because, to } = options;
      const release = name.startsWith("rel-") ? await answer(api.GET("/api/releases/{id}", { params: { path: { id: name } } })) : undefined;
      if (release && !release.endedAt) {
        await say(api, command, name, "roll_back", because);
        return options.watch ? void (await ended(await session(process.env), name)) : undefined;
      }
      const { service = name, environment = options.environment } = release ?? {};
      const body = { environment, because, ...(to && { to }) };
      const back = await answer(api.POST("/api/services/{name}/rollback", { params: { path: { name: service } }, body }));
      if (options.watch) return ran(await session(process.env), back.run, command, `${back.to} is back.`);
      tell(command, back, () => `${back.to} comes back. Watch it: cairn runs show ${back.run} --watch`);
    });
  program
    .command("go-on <release>")
    .description("let a held release go on to its next step, or one whose artifact was taken back begin after all")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (id: string, options: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      await say(api, command, id, "go_on", options.because);
    });
  program
    .command("approve <change-or-release>")
    .description(
      "approve a change request, or the plan of a release that waits for it; of a plan that differs by a byte nothing is approved",
    )
    .option("-p, --plan <digest>", "the plan that you looked at; refused where the release has another one by now")
    .action(async (id: string, options: { plan?: string }, command: Command) => {
      const here = await session(process.env);
      const { api } = here;
      if (/[/#]/.test(id)) return approveChange(here, id, command);
      const release = await releaseOf(here, id);
      if (options.plan !== undefined && options.plan !== release.plan) throw planDiffers(id, options.plan, release.plan);
      const approved = await answer(api.POST("/api/plans/{digest}/approve", { params: { path: { digest: release.plan } } }));
      tell(command, approved, ({ plan, digest }) =>
        [
          `Approved: ${plan.title}, plan ${short(digest)}, artifact ${short(release.artifactDigest)}.`,
          `Watch it: cairn release ${id}`,
        ].join("\n"),
      );
    });
  const show = async (id: string, options: { watch?: boolean }, command: Command): Promise<void> => {
    const here = await session(process.env);
    tell(command, options.watch ? await ended(here, id) : await releaseOf(here, id), (release) => {
      const last = release.rounds.at(-1);
      return [
        `${bold(`${release.service} to ${release.environment}`)}  ${status(release.state)}`,
        release.because,
        "",
        facts([
          ["Commit", release.commit],
          ["Artifact", release.artifactDigest],
          ["Plan", release.plan],
          ["Decision", release.decision],
          ["Traffic", `${release.percent} % of steps ${release.stepsPercent.join(", ")} %`],
          ...(release.gate?.heldBy ?? []).flatMap(({ because, unblockedBy }): [string, string][] => [
            ["Waits for", because],
            ["Unblocked by", unblockedBy],
          ]),
          ["Let through", release.gate?.openBy.length ? release.gate.openBy.join("; ") : undefined],
          ["Begun", `${ago(release.createdAt, new Date())} by ${release.startedBy}`],
          ["Canary", last ? `${last.canary.requests} requests, ${last.canary.errors} errors, ${last.canary.slow} slow` : undefined],
          [
            "Baseline",
            last?.baseline ? `${last.baseline.requests} requests, ${last.baseline.errors} errors, ${last.baseline.slow} slow` : undefined,
          ],
        ]),
        ...(last?.tests.map((test) =>
          dim(`${test.metric} ${test.process.replaceAll("_", " ")}: ${test.logE.toFixed(2)} of ${test.threshold.toFixed(2)}`),
        ) ?? []),
      ].join("\n");
    });
  };
  for (const [parent, name, what] of [
    [releases, "show", "one release: its canary, the evidence so far, the decision"],
    [program, "release", "the same as releases show"],
  ] as const)
    parent.command(`${name} <release>`).description(what).option("-w, --watch", "until it has ended").action(show);
}

type Release = Answered<"getRelease">;

const releaseOf = ({ api }: Session, id: string): Promise<Release> => answer(api.GET("/api/releases/{id}", { params: { path: { id } } }));

/** A release once it has ended, each change of its state told on the way. */
function ended(here: Session, id: string): Promise<Release> {
  let told = "";
  return until(
    () => releaseOf(here, id),
    ({ endedAt }) => endedAt !== null,
    ({ state, percent, because }) => {
      const line = `${status(state)}  ${percent} %${because ? dim(`  ${because}`) : ""}`;
      if (line !== told) console.error((told = line));
    },
  );
}

async function say(api: Session["api"], command: Command, id: string, action: "roll_back" | "go_on", because: string): Promise<void> {
  const release = await answer(api.POST("/api/releases/{id}/answer", { params: { path: { id } }, body: { action, because } }));
  tell(command, release, () => `Said. Watch it: cairn release ${id}`);
}

const planDiffers = (id: string, seen: string, now: string) =>
  new Fault(
    "conflict",
    "cli.plan_differs",
    `Release ${id} has the plan ${now}, not ${seen}`,
    `What you looked at has changed: look at cairn release ${id}, then approve that.`,
  );

/** Waits until the last merge is delivered and no workflow of the service is under way, telling each change of a release. Throws what a failed delivery failed by. */
export async function watch(here: Session, service: string): Promise<void> {
  const told = new Set<string>();
  let before: Set<string> | undefined;
  const merged = await answer(here.api.GET("/api/changes", { params: { query: { repository: service, state: "merged" } } }));
  const newest = merged.changes.reduce<(typeof merged.changes)[number] | undefined>(
    (last, change) => (last && (last.mergedAt ?? "") > (change.mergedAt ?? "") ? last : change),
    undefined,
  );
  // The delivery begins a moment after the merge: until then there is nothing to see of it.
  const delivery = `deliver-${service}-${newest?.mergeCommit?.slice(0, 12)}`;
  // One that was asked for again has a suffix; what its rollouts are named after has a slash.
  const isNewest = (run: { id: string }) => run.id === delivery || (run.id.startsWith(`${delivery}-`) && !run.id.includes("/"));
  const { runs } = await until(
    async () => ({
      releases: (await answer(here.api.GET("/api/releases", { params: { query: { service, limit: 10 } } }))).releases,
      runs: (await answer(here.api.GET("/api/runs", { params: { query: { about: `component:default/${service}`, limit: 100 } } }))).runs,
    }),
    (seen) => (!newest || seen.runs.some(isNewest)) && seen.runs.every((run) => ["success", "failed", "rolled_back"].includes(run.state)),
    ({ releases }) => {
      // What earlier deliveries have brought is no news.
      before ??= new Set(releases.filter(({ endedAt, commit }) => endedAt !== null && commit !== newest?.mergeCommit).map(({ id }) => id));
      for (const release of [...releases].reverse()) {
        if (before.has(release.id)) continue;
        const line = `${release.id} ${release.state} ${release.percent} ${release.state === "planned" ? release.because : ""}`;
        if (told.has(line)) continue;
        told.add(line);
        console.error(
          `${status(release.state)}  ${release.environment} ${short(release.artifactDigest)} ${release.percent} %${release.because ? dim(`  ${release.because}`) : ""}`,
        );
      }
    },
  );
  const failed = runs.filter(isNewest).toSorted((a, b) => (a.createdAt < b.createdAt ? 1 : -1))[0]?.error;
  if (failed) throw new Fault("failed", failed.code, failed.message, failed.next);
}

const releasesText = ({ releases }: Releases): string =>
  table(
    releases,
    [
      { title: "RELEASE", value: (row) => row.id },
      { title: "SERVICE", value: (row) => row.service },
      { title: "ENVIRONMENT", value: (row) => row.environment },
      { title: "STATE", value: (row) => status(row.state) },
      { title: "ARTIFACT", value: (row) => short(row.artifactDigest) },
      { title: "WHEN", value: (row) => ago(row.createdAt, new Date()) },
      { title: "WHY", value: (row) => row.because },
    ],
    "No release. A merge into the default branch starts one.",
  );

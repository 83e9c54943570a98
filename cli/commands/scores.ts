import { Option, type Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, bold, dim, facts, status, table } from "../print.ts";
import { session } from "../session.ts";

type Kept = Answered<"listScorecards">;
type Query = { team?: string; tier?: Kept["items"][number]["tier"]; point?: string; state?: "met" | "missed" | "unknown" };

/** How well services are kept, and how well we deliver. */
export function scoreCommands(program: Command): void {
  program
    .command("score <service>")
    .alias("scorecard")
    .description("how well a service is kept, by what its tier asks for; what to do next")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(api.GET("/api/services/{name}/scorecard", { params: { path: { name } } })),
        ({ met, required, tier, points }) =>
          [
            `${bold(`${met} of ${required}`)} points that ${tier} asks for`,
            "",
            ...points.flatMap((point) => [
              `${status(point.state === "met" ? "passed" : point.state === "missed" ? "failed" : "unknown")}  ${point.title}: ${point.because}${point.required ? "" : dim(`  (not asked of ${tier})`)}`,
              ...(point.next && point.required ? [dim(`    ${point.next.what}: ${point.next.command}`)] : []),
            ]),
          ].join("\n"),
      );
    });

  program
    .command("scorecards")
    .description("how well services are kept, all together")
    .command("list", { isDefault: true })
    .description("services, the worst first, as they were scored last; of each point how many meet it")
    .option("-t, --team <team>", "of the services of this team")
    .addOption(new Option("--tier <tier>").choices(["tier-1", "tier-2", "tier-3"]))
    .option("--point <point>", "those that it is asked of and that do not meet it, or are in --state")
    .addOption(new Option("--state <state>", "of the point, or of any").choices(["met", "missed", "unknown"]))
    .option("--limit <number>", "so many at most, up to 500", "50")
    .action(async ({ limit, ...filter }: Query & { limit: string }, command: Command) => {
      const { api } = await session(process.env);
      if (!(Number(limit) >= 1 && Number(limit) <= 500))
        throw new Fault("invalid", "cli.limit", `--limit is ${limit}`, "Give a number from 1 to 500.");
      const query = { ...filter, limit: Number(limit) };
      tell(command, await answer(api.GET("/api/scorecards", { params: { query } })), (found) => keptText(found, filter));
    });

  program
    .command("dora")
    .description("DORA's five metrics of production, with the deployments that they rest on")
    .option("-s, --service <service>")
    .option("-t, --team <team>")
    .option("--days <days>", "how far back", "30")
    .action(async (options: { service?: string; team?: string; days: string }, command: Command) => {
      const { api } = await session(process.env);
      const days = Number(options.days);
      if (!(days >= 1 && days <= 366))
        throw new Fault("invalid", "cli.days", `--days is ${options.days}`, "Give a number of days from 1 to 366.");
      const from = new Date(Date.now() - days * 86_400_000).toISOString();
      const query = { from, ...(options.service && { service: options.service }), ...(options.team && { team: options.team }) };
      tell(command, await answer(api.GET("/api/dora", { params: { query } })), (found) =>
        [
          facts([
            ["Deployment frequency", `${found.deploymentFrequency.perDay.toFixed(2)} a day (${found.deploymentFrequency.of})`],
            ["Lead time for changes", `${span(found.leadTime.medianSeconds)} median, ${span(found.leadTime.p90Seconds)} in 9 of 10`],
            ["Change fail rate", `${percent(found.changeFailRate.value)} of ${found.changeFailRate.of}`],
            ["Failed deployment recovery time", span(found.recoveryTime.medianSeconds)],
            ["Deployment rework rate", percent(found.reworkRate.value)],
          ]),
          "",
          table(
            found.deployments,
            [
              { title: "RELEASE", value: (row) => row.release },
              { title: "OUTCOME", value: (row) => `${status(row.outcome)}${row.takenBackAt ? ", taken back" : ""}` },
              { title: "LEAD TIME", value: (row) => (row.leadSeconds === null ? "-" : span(row.leadSeconds)), align: "right" },
              { title: "RECOVERY", value: (row) => (row.recoverySeconds === null ? "-" : span(row.recoverySeconds)), align: "right" },
              { title: "WHY", value: (row) => row.because },
            ],
            "Nothing was deployed to production in this time.",
          ),
        ].join("\n"),
      );
    });
}

function keptText({ items, total, unscored, points }: Kept, filter: Query): string {
  const asked = points.filter((point) => point.asked > 0);
  const nothing =
    Object.keys(filter).length === 0 ? "No service has a scorecard yet. Create one: cairn create http-api" : "No service is like that.";
  return [
    ...(asked.length > 0
      ? [
          table(
            asked,
            [
              { title: "POINT", value: (row) => row.id },
              { title: "ASKED OF", value: (row) => row.asked, align: "right" },
              { title: "MET", value: (row) => row.met, align: "right" },
              { title: "MISSED", value: (row) => row.missed, align: "right" },
              { title: "UNKNOWN", value: (row) => row.unknown, align: "right" },
              { title: "WHAT", value: (row) => row.title },
            ],
            "",
          ),
          "",
        ]
      : []),
    table(
      items,
      [
        { title: "SERVICE", value: (row) => row.service },
        { title: "OWNER", value: (row) => row.owner.replace("group:default/", "") },
        { title: "TIER", value: (row) => row.tier },
        { title: "SCORE", value: (row) => `${row.met} of ${row.required}`, align: "right" },
        { title: "MISSED", value: (row) => idsOf(row, "missed") },
        { title: "UNKNOWN", value: (row) => idsOf(row, "unknown") },
        { title: "SCORED", value: (row) => ago(row.at, new Date()) },
      ],
      nothing,
    ),
    ...(total > items.length ? [dim(`${items.length} of ${total}, the worst first; --limit shows more`)] : []),
    ...(unscored > 0 ? [dim(`${unscored} more ${unscored === 1 ? "has" : "have"} no scorecard yet: they are made one after another`)] : []),
    ...(items[0] ? ["", dim(`What to do about the first: cairn score ${items[0].service}`)] : []),
  ].join("\n");
}

const idsOf = ({ lacks }: Kept["items"][number], state: "missed" | "unknown"): string =>
  lacks
    .filter((point) => point.state === state)
    .map(({ id }) => id)
    .join(", ") || "-";

const percent = (value: number | null): string => (value === null ? "unknown" : `${(value * 100).toFixed(1)} %`);

function span(seconds: number | null): string {
  if (seconds === null) return "unknown";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

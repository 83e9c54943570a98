import type { Command } from "commander";
import { answer } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { bold, dim, facts, status, table } from "../print.ts";
import { session } from "../session.ts";

/** How well services are kept, and how well we deliver. */
export function scoreCommands(program: Command): void {
  program
    .command("score <service>")
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

const percent = (value: number | null): string => (value === null ? "unknown" : `${(value * 100).toFixed(1)} %`);

function span(seconds: number | null): string {
  if (seconds === null) return "unknown";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

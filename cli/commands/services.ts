import type { Command } from "commander";
import { answer } from "@cairn/api";
import { tell } from "../answer.ts";
import { ago, bold, facts, short, status, table } from "../print.ts";
import { session } from "../session.ts";

export function serviceCommands(program: Command): void {
  const services = program.command("services").description("what we run, and who owns it");
  services
    .command("list", { isDefault: true })
    .description("services with owner, tier and lifecycle")
    .option("-t, --team <team>")
    .option("--tier <tier>", "tier-1, tier-2 or tier-3")
    .option("--lifecycle <lifecycle>", "experimental, development, production or deprecated")
    .option("--language <language>", "what it is written in, as its descriptor says")
    .option("--search <text>")
    .action(async (options: { team?: string; tier?: string; lifecycle?: string; language?: string; search?: string }, command: Command) => {
      const { api } = await session(process.env);
      const query = {
        limit: 100,
        ...(options.team && { team: options.team }),
        ...(options.tier && { tier: options.tier as "tier-1" }),
        ...(options.language && { language: options.language }),
        ...(options.lifecycle && { lifecycle: options.lifecycle as "production" }),
        ...(options.search && { text: options.search }),
      };
      tell(command, await answer(api.GET("/api/catalog/service-views", { params: { query } })), ({ items }) =>
        table(
          items,
          [
            { title: "SERVICE", value: (row) => row.name },
            { title: "OWNER", value: (row) => `${row.owner}${row.ownerExists ? "" : " (unowned)"}` },
            { title: "TIER", value: (row) => row.tier },
            { title: "LIFECYCLE", value: (row) => row.lifecycle },
            { title: "SINCE", value: (row) => ago(row.createdAt, new Date()) },
          ],
          "No service. Create one: cairn create http-api",
        ),
      );
    });

  const show = async (name: string, _options: unknown, command: Command): Promise<void> => {
    const { api } = await session(process.env);
    const params = { path: { name } };
    const { service, ...more } = await answer(api.GET("/api/catalog/service-views/{name}", { params }));
    const environments = await answer(api.GET("/api/services/{name}/environments", { params }));
    tell(command, { ...service, ...more, environments }, (view) =>
      [
        bold(view.name),
        facts([
          ["What", view.description],
          ["Owner", `${view.owner}${view.ownerExists ? "" : " (unowned: no such team)"}`],
          ["Tier", view.tier],
          ["Lifecycle", view.lifecycle],
          ["Repository", view.repository],
        ]),
        "",
        table(
          view.environments.flatMap((environment) => environment.revisions.map((revision) => ({ ...revision, environment }))),
          [
            { title: "ENVIRONMENT", value: (row) => row.environment.environment },
            { title: "ADDRESS", value: (row) => row.environment.url },
            { title: "ARTIFACT", value: (row) => short(row.artifactDigest) },
            { title: "HEALTH", value: (row) => status(row.health) },
            { title: "TRAFFIC", value: (row) => `${row.weightPercent} %`, align: "right" },
            { title: "REQUESTS", value: (row) => row.requests, align: "right" },
            { title: "ERRORS", value: (row) => row.errors, align: "right" },
          ],
          "It runs nowhere yet.",
        ),
        ...view.environments.flatMap(({ environment, findings }) =>
          findings.map(
            ({ kind, subject, detail, foundAt }) =>
              `${status("warned")} ${environment}: ${kind.replaceAll("_", " ")}: ${subject}: ${detail} (${ago(foundAt, new Date())})`,
          ),
        ),
      ].join("\n"),
    );
  };
  services.command("show <service>").description("one service: its owner, and what runs where").action(show);
  program.command("service <service>").description("the same as services show").action(show);
}

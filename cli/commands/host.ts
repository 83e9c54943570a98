import type { Command } from "commander";
import { readConfig } from "@cairn/platform/kernel/config.ts";
import { tell, wantsJson } from "../answer.ts";
import { bold, facts, status, table } from "../print.ts";

/** Loaded where it is needed: database and agent client cost every other command most of its start. */
const host = () => import("@cairn/platform/host.ts");

/** By npm start the command may not be on the PATH yet. */
const typed = process.env.npm_lifecycle_event === undefined ? "cairn" : "./cairn";

/** What works on the platform's own machine, also while its server is down. */
export function hostCommands(program: Command): void {
  program
    .command("start")
    .description("start the platform on this machine; what runs already is found again")
    .action(async (_options, command: Command) => {
      const config = readConfig(process.env);
      const { startPlatform, signInLink } = await host();
      const { url, started } = await startPlatform(config, process.env);
      const link = await signInLink(config);
      tell(command, { url, link, started }, () =>
        [
          started ? "Cairn runs." : "Cairn was running already.",
          "",
          facts([
            ["Portal", url],
            ["Sign in", link],
            ["Data", config.home],
          ]),
          "",
          `The link works once, for 15 minutes; ${typed} login --link makes another. ${typed} login signs this terminal in.`,
          ...(typed === "cairn" ? [] : ["npm link puts the command cairn on your PATH."]),
        ].join("\n"),
      );
    });

  program
    .command("stop")
    .description("stop the server; services go on running unless --all is given")
    .option("--all", "also stop the agent: services, proxy and PostgreSQL")
    .action(async (options: { all?: boolean }, command: Command) => {
      const { stopPlatform } = await host();
      const stopped = await stopPlatform(readConfig(process.env), { all: options.all === true });
      tell(command, stopped, () => {
        const server = stopped.server ? "The server is stopped." : "The server was not running.";
        if (stopped.agent === "runs on")
          return `${server} The agent goes on: services answer, their databases too. ${typed} stop --all stops them.`;
        return `${server} ${stopped.agent === "stopped" ? "The agent is stopped, with it all services and PostgreSQL." : "No agent was running."}`;
      });
    });

  program
    .command("status")
    .description("what is up on this machine, asked without the server")
    .action(async (_options, command: Command) => {
      const { platformStatus } = await host();
      const found = await platformStatus(readConfig(process.env));
      tell(command, found, ({ home, server, agent }) => {
        const top = facts([
          ["Server", server ? `${server.ready ? status("running") : "starting"} at ${server.url} (process ${server.pid})` : "down"],
          [
            "Agent",
            agent ? `${status("running")} (process ${agent.pid}, ${mebibytes(agent.memoryBytes)})` : (server?.lacks.agent ?? "down"),
          ],
          [
            "PostgreSQL",
            agent
              ? agent.postgres.state === "not_owned"
                ? "not the embedded one"
                : `${agent.postgres.state}${agent.postgres.because ? `: ${agent.postgres.because}` : ""}`
              : "down",
          ],
          ["Data", home],
        ]);
        const revisions = agent?.targets.flatMap((target) => target.revisions.map((revision) => ({ ...revision, target }))) ?? [];
        const services = table(
          revisions,
          [
            { title: "SERVICE", value: (row) => row.target.target.service },
            { title: "ENVIRONMENT", value: (row) => row.target.target.environment },
            { title: "ADDRESS", value: (row) => row.target.url },
            { title: "REVISION", value: (row) => row.revision },
            { title: "HEALTH", value: (row) => row.health },
            { title: "TRAFFIC", value: (row) => `${row.weightPercent} %`, align: "right" },
            { title: "MEMORY", value: (row) => (row.memoryBytes === null ? "-" : mebibytes(row.memoryBytes)), align: "right" },
          ],
          "No service runs.",
        );
        return `${top}\n\n${services}`;
      });
      if (!found.server?.ready) process.exitCode = 4;
    });

  program
    .command("link", { hidden: true })
    .description("the same as login --link")
    .action(async (_options, command: Command) => {
      const { signInLink } = await host();
      const link = await signInLink(readConfig(process.env));
      if (wantsJson(command)) console.log(JSON.stringify({ link }));
      else console.log(`${bold("Sign in")}  ${link}`);
    });
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

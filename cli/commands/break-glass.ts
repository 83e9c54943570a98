import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, bold, dim, facts, plain, status, table } from "../print.ts";
import { session } from "../session.ts";

type Shown = Answered<"listBreakGlass">["breakGlass"][number];

/** Going on although rules refuse. */
export function breakGlassCommands(program: Command): void {
  const glass = program.command("break-glass").description("go on although rules refuse: for a while, with a reason, before witnesses");
  glass
    .command("list", { isDefault: true })
    .description("break-glasses: open, to review, reviewed")
    .option("-s, --service <service>")
    .option("--state <state>", "open, to_review or reviewed")
    .action(async (options: { service?: string; state?: Shown["state"] }, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/break-glass", { params: { query: options } })), (found) =>
        table(
          found.breakGlass,
          [
            { title: "BREAK-GLASS", value: (row) => row.id },
            { title: "SERVICE", value: (row) => row.service },
            { title: "ENVIRONMENT", value: (row) => row.environment ?? "every" },
            { title: "STATE", value: (row) => stateText(row) },
            { title: "BY", value: (row) => row.openedBy },
            { title: "WHY", value: (row) => row.because },
          ],
          "No break-glass.",
        ),
      );
    });
  glass
    .command("open")
    .description("let a service go on for a while; others are told at once, and one of them reviews it")
    .requiredOption("-s, --service <service>")
    .option("-e, --environment <environment>", "only there; without it in every environment")
    .option("-r, --rule <rule...>", "only these rules, production-approval or windows; without it all that may be broken")
    .requiredOption("-f, --for <duration>", "30m, 1h, 90s; at most 4h")
    .requiredOption("-b, --because <reason>", "kept in the ledger and told to others")
    .action(async (options: { service: string; environment?: string; rule?: string[]; for: string; because: string }, command: Command) => {
      const { api } = await session(process.env);
      const { service, environment, rule, because } = options;
      const body = {
        service,
        seconds: durationSeconds(options.for),
        because,
        ...(environment !== undefined && { environment }),
        ...(rule !== undefined && { rules: rule }),
      };
      tell(command, await answer(api.POST("/api/break-glass", { body })), (opened) =>
        [
          `${bold(opened.id)} is open until ${opened.until}.`,
          ...(opened.witnesses.length > 0 ? [`Told: ${opened.witnesses.join(", ")}`] : []),
          ...opened.warnings.map((warning) => `${status("warned")}  ${warning}`),
          `What was refused can be tried again now, e.g. cairn deliver ${service}. To end it sooner: cairn break-glass close ${opened.id} -b REASON`,
        ].join("\n"),
      );
    });
  glass
    .command("show <break-glass>")
    .description("one of them, with what was done under it")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/break-glass/{id}", { params: { path: { id } } })), (detail) =>
        [
          `${bold(`${detail.service} in ${detail.environment ?? "every environment"}`)}  ${stateText(detail)}`,
          plain(detail.because),
          "",
          facts([
            ["Opened", `${ago(detail.openedAt, new Date())} by ${detail.openedBy}`],
            ["Until", detail.until],
            ["Passes", detail.rules.includes("*") ? "every rule that allows it, approvals and windows" : detail.rules.join(", ")],
            ["Told", detail.witnesses.join(", ") || "nobody: there was no second person"],
            ["Ended", detail.closed ? `${ago(detail.closed.at, new Date())} by ${detail.closed.by}: ${detail.closed.because}` : undefined],
            ["Review", detail.review ? `${detail.review.by}: ${detail.review.because}` : "open"],
          ]),
          "",
          ...(detail.uses.length === 0
            ? ["Nothing was done under it that would have been refused."]
            : detail.uses.map((use) => `${use.at}  ${use.type}  ${dim(useText(use.data))}`)),
        ].join("\n"),
      );
    });
  for (const [name, what, done] of [
    ["close", "end it before its time", "Ended. It waits for its review."],
    ["review", "close its follow-up, by somebody else than who opened it", "Reviewed."],
  ] as const)
    glass
      .command(`${name} <break-glass>`)
      .description(what)
      .requiredOption("-b, --because <text>", name === "close" ? "kept in the ledger" : "what you found, kept in the ledger")
      .action(async (id: string, options: { because: string }, command: Command) => {
        const { api } = await session(process.env);
        const asked = { params: { path: { id } }, body: { because: options.because } };
        const said = name === "close" ? api.POST("/api/break-glass/{id}/close", asked) : api.POST("/api/break-glass/{id}/review", asked);
        tell(command, await answer(said), () => done);
      });
}

const stateText = ({ state, until }: Shown): string =>
  state === "open"
    ? status("held").replace("held", `open until ${until}`)
    : state === "to_review"
      ? status("warned").replace("warned", "to review")
      : status("passed").replace("passed", "reviewed");

const useText = (data: Record<string, unknown>): string =>
  ["decision", "release", "environment", "gate", "because"]
    .flatMap((key) => (typeof data[key] === "string" ? [`${key} ${data[key]}`] : []))
    .join(", ");

/** `90s`, `30m`, `1h`, `1h30m`. Throws `cli.duration`. */
function durationSeconds(text: string): number {
  const match = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?$/.exec(text);
  if (!match || text === "") throw new Fault("invalid", "cli.duration", `${text} is no duration`, "Write it like 30m, 1h or 1h30m.");
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number];
  return hours * 3600 + minutes * 60 + seconds;
}

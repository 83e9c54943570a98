import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import type { Command } from "commander";
import { tell, wantsJson } from "../answer.ts";
import { ago, bold, facts, plain, status, table } from "../print.ts";
import { session, type Session } from "../session.ts";

type Line = Answered<"listServiceLogs">[number];
type Report = Answered<"getServiceSlos">;

interface LogOptions {
  environment: string;
  lines: string;
  revision?: string;
  since?: string;
  until?: string;
  grep?: string;
  follow?: boolean;
}

export function observeCommands(program: Command): void {
  program
    .command("logs <service>")
    .description("what a service prints")
    .option("-e, --environment <environment>", "dev, staging or production", "production")
    .option("-n, --lines <count>", "the last so many", "100")
    .option("--revision <id>", "of one revision")
    .option("--since <when>", "later than this: 10m, 2h, 1d or an instant as 2026-03-01T12:00:00Z")
    .option("--until <when>", "up to this")
    .option("--grep <text>", "lines that hold this text, letter by letter")
    .option("-f, --follow", "go on until Ctrl-C")
    .action(async (name: string, options: LogOptions, command: Command) => {
      const signedIn = await session(process.env);
      const show = (line: Line) =>
        console.log(wantsJson(command) ? JSON.stringify(line) : `${line.at} ${line.revision} ${plain(line.line)}`);
      const limit = count(options.lines);
      const now = new Date();
      const query = {
        environment: options.environment,
        ...(options.revision && { revision: options.revision }),
        ...(options.grep && { text: options.grep }),
        ...(options.since && { after: instant("--since", options.since, now) }),
      };
      if (options.follow) return follow(signedIn, name, { ...query, tail: limit }, show);
      const until = options.until && { until: instant("--until", options.until, now) };
      const params = { path: { name }, query: { ...query, ...until, limit } };
      for (const line of await answer(signedIn.api.GET("/api/services/{name}/logs", { params }))) show(line);
    });

  program
    .command("slo <service>")
    .description("what a service promises, and how it keeps it: compliance, error budget, burn rates")
    .option("-e, --environment <environment>", "dev, staging or production", "production")
    .action(async (name: string, { environment }: { environment: string }, command: Command) => {
      const { api } = await session(process.env);
      const params = { path: { name }, query: { environment } };
      tell(command, await answer(api.GET("/api/services/{name}/slos", { params })), reportText);
    });
}

function reportText(report: Report): string {
  const { telemetry } = report;
  const seen = telemetry.seenAt === null ? "" : `, last read ${ago(telemetry.seenAt, new Date())}`;
  const parts = [
    bold(`${report.service} in ${report.environment}`),
    facts([
      ["Telemetry", `${telemetry.because}${seen}`],
      [
        "Objectives",
        report.source
          ? `slo.yaml at ${report.source.commit.slice(0, 12)}${report.source.present ? "" : ": there is none"}`
          : "it has no repository here",
      ],
    ]),
    table(
      report.slos,
      [
        { title: "OBJECTIVE", value: (slo) => slo.name },
        { title: "TARGET", value: (slo) => `${percent(slo.target)} in ${slo.periodSeconds / 86_400} d`, align: "right" },
        { title: "STATE", value: (slo) => status(slo.state) },
        { title: "COMPLIANCE", value: (slo) => (slo.compliance === null ? null : percent(slo.compliance)), align: "right" },
        { title: "BUDGET LEFT", value: (slo) => (slo.budget.remaining === null ? null : percent(slo.budget.remaining)), align: "right" },
        { title: "BAD", value: (slo) => `${slo.period.bad} of ${slo.period.requests}`, align: "right" },
        { title: "WHY", value: (slo) => slo.because },
      ],
      "No objective that can be evaluated here. Write them in slo.yaml of its repository.",
    ),
  ];
  const burns = report.slos.flatMap((slo) => slo.burns.map((burn) => ({ ...burn, slo: slo.name })));
  if (burns.length > 0)
    parts.push(
      table(
        burns,
        [
          { title: "BURN RATE", value: (burn) => `${burn.slo} ${burn.rule}` },
          { title: "LIMIT", value: (burn) => `${round(burn.factor)}x`, align: "right" },
          { title: "LONG", value: (burn) => (burn.long.burn === null ? null : `${round(burn.long.burn)}x`), align: "right" },
          { title: "SHORT", value: (burn) => (burn.short.burn === null ? null : `${round(burn.short.burn)}x`), align: "right" },
          { title: "STATE", value: (burn) => status(burn.state) },
          { title: "WHY", value: (burn) => burn.because },
        ],
        "",
      ),
    );
  if (report.alerts.length > 0)
    parts.push(
      table(
        report.alerts,
        [
          { title: "ALERT", value: (alert) => `${alert.slo} ${alert.rule}` },
          { title: "STATE", value: (alert) => `${alert.state} (${alert.severity})` },
          { title: "SINCE", value: (alert) => ago(alert.firingAt ?? alert.pendingAt, new Date()) },
          { title: "WHY", value: (alert) => alert.because },
        ],
        "",
      ),
    );
  for (const { name, because } of report.problems) parts.push(`! ${name} is not evaluated here: ${plain(because)}`);
  return parts.join("\n\n");
}

type Query = { environment: string; revision?: string; text?: string; after?: string; tail: number };

/** Shows each line once as it comes; a connection that breaks is taken up where it was. Ends when the platform refuses. */
async function follow({ api }: Session, name: string, query: Query, show: (line: Line) => void): Promise<void> {
  let cursor: string | undefined;
  for (;;) {
    const params = { path: { name }, query: { ...query, ...(cursor !== undefined && { cursor }) } };
    const body = await connected(() => answer(api.GET("/api/services/{name}/logs/stream", { params, parseAs: "stream" } as never)), cursor);
    try {
      for await (const event of eventsOf(body)) {
        cursor = event.id;
        if (event.name === "lines") for (const line of JSON.parse(event.data) as Line[]) show(line);
        else console.error(`! ${(JSON.parse(event.data) as { detail: string }).detail}`);
      }
    } catch {
      // The server is away: its lines wait.
    }
    await new Promise((wake) => setTimeout(wake, 1000));
  }
}

/** The first time a platform that can't be reached is a failure; later it may be starting again. */
async function connected(open: () => Promise<unknown>, cursor: string | undefined): Promise<ReadableStream<Uint8Array>> {
  for (;;) {
    try {
      return (await open()) as ReadableStream<Uint8Array>;
    } catch (error) {
      if (cursor === undefined || !(error instanceof TypeError)) throw error;
      await new Promise((wake) => setTimeout(wake, 1000));
    }
  }
}

/** Server-sent events of a body. Format: https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<{ name: string; id: string; data: string }> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(text.slice(0, end).split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()])); // prettier-ignore
      text = text.slice(end + 2);
      const data = fields.get("data");
      if (data !== undefined) yield { name: fields.get("event") ?? "message", id: fields.get("id") ?? "", data };
    }
  }
}

/** `10m` ago, or an instant. */
function instant(option: string, text: string, now: Date): string {
  const ago = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  if (ago)
    return new Date(now.getTime() - Number(ago[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] as "s"]).toISOString();
  const at = new Date(text);
  if (Number.isNaN(at.getTime()))
    throw new Fault(
      "invalid",
      "cli.time",
      `${option} ${text} is no time`,
      "Write how long ago (30s, 10m, 2h, 1d) or an instant (2026-03-01T12:00:00Z).",
    );
  return at.toISOString();
}

function count(text: string): number {
  const lines = Number(text);
  if (!Number.isInteger(lines) || lines < 1 || lines > 2000)
    throw new Fault("invalid", "cli.lines", `-n ${text} is no number of lines`, "Write one from 1 to 2000.");
  return lines;
}

const percent = (share: number): string => `${Number((100 * share).toFixed(3))} %`;
const round = (value: number): number => Number(value.toFixed(2));

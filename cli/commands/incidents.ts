import type { Command } from "commander";
import { Option } from "commander";
import { answer, type Answered } from "@cairn/api";
import { tell } from "../answer.ts";
import { ago, bold, dim, facts, plain, status, table } from "../print.ts";
import { session } from "../session.ts";

type Shown = Answered<"listIncidents">["incidents"][number];
type Detail = Answered<"getIncident">;
type OnCall = Answered<"listOnCall">["onCall"][number];

/** What is wrong, and who answers for it. */
export function incidentCommands(program: Command): void {
  const incidents = program.command("incidents").description("what is wrong, who answers, and what may have caused it");
  incidents
    .command("list [service]", { isDefault: true })
    .description("incidents that are not over; with --state all every one")
    .option("-t, --team <team>", "of the services of this team")
    .addOption(new Option("--state <state>", "which").choices(["active", "open", "acknowledged", "resolved", "all"]).default("active"))
    .action(async (service: string | undefined, options: { team?: string; state: Shown["state"] | "active" | "all" }, command: Command) => {
      const { api } = await session(process.env);
      const { team, state } = options;
      const query = { ...(service !== undefined && { service }), ...(team !== undefined && { team }), ...(state !== "all" && { state }) };
      tell(command, await answer(api.GET("/api/incidents", { params: { query } })), (found) =>
        table(
          found.incidents,
          [
            { title: "INCIDENT", value: (row) => row.id },
            { title: "SERVICE", value: (row) => row.service ?? "unknown" },
            { title: "ENVIRONMENT", value: (row) => row.environment },
            { title: "STATE", value: stateOf },
            { title: "SEVERITY", value: (row) => row.severity },
            { title: "OPENED", value: (row) => ago(row.openedAt, new Date()) },
            { title: "WHAT", value: (row) => row.title },
          ],
          state === "all"
            ? "No incident yet."
            : "Nothing is wrong that anybody knows of. Those that are over: cairn incidents --state resolved",
        ),
      );
    });

  const show = async (id: string, _options: unknown, command: Command): Promise<void> => {
    const { api } = await session(process.env);
    tell(command, await answer(api.GET("/api/incidents/{id}", { params: { path: { id } } })), detailText);
  };
  incidents.command("show <incident>").description("who is on call, what may have caused it, the way back, and what happened").action(show);
  program.command("incident <incident>").description("the same as incidents show").action(show);
  incidents
    .command("open <service>")
    .description("report that something is wrong; whoever is on call is told")
    .requiredOption("-t, --title <title>", "what is wrong, in one line")
    .option("-e, --environment <environment>")
    .option("-b, --because <text>", "what you saw", "")
    .addOption(new Option("--severity <severity>", "page: now; ticket: in working hours").choices(["page", "ticket"]).default("page"))
    .action(
      async (
        service: string,
        options: { title: string; environment?: string; because: string; severity: Shown["severity"] },
        command: Command,
      ) => {
        const { api } = await session(process.env);
        tell(command, await answer(api.POST("/api/incidents", { body: { service, ...options } })), ({ id }) =>
          [`Opened ${bold(id)}. Whoever is on call is told: cairn on-call`, `Watch it: cairn incident ${id}`].join("\n"),
        );
      },
    );
  incidents
    .command("ack <incident>")
    .description("take it: nobody else is told")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      const taken = await answer(api.POST("/api/incidents/{id}/acknowledge", { params: { path: { id } } }));
      tell(command, taken, () => `It is yours. Suspects and the way back: cairn incident ${id}`);
    });
  incidents
    .command("resolve <incident>")
    .description("say that it is over")
    .requiredOption("-b, --because <what>", "what ended it, in a sentence; kept in the ledger")
    .action(async (id: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const over = await answer(api.POST("/api/incidents/{id}/resolve", { params: { path: { id } }, body: { because } }));
      tell(command, over, ({ firing }) =>
        [
          "It is over.",
          ...(firing > 0
            ? [
                `${status("held").replace("held", `${firing} ${firing === 1 ? "alert still fires" : "alerts still fire"}`)}: without an end within 30 minutes it opens again.`,
              ]
            : []),
          `Draft its review: cairn incidents review ${id}`,
        ].join("\n"),
      );
    });
  incidents
    .command("note <incident> <text>")
    .description("add a sentence to its timeline")
    .action(async (id: string, text: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.POST("/api/incidents/{id}/note", { params: { path: { id } }, body: { text } })), () => "Noted.");
    });
  incidents
    .command("review <incident>")
    .description("open a change request with a draft of its review in the service's docs/")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      const drafted = await answer(api.POST("/api/incidents/{id}/review", { params: { path: { id } } }));
      tell(command, drafted, ({ change, path }) =>
        [
          `${bold(change)} holds the draft: ${path}`,
          `Look at it: cairn changes diff ${change}. Fill in what only people know, push to its branch, then: cairn merge ${change}`,
        ].join("\n"),
      );
    });

  program
    .command("on-call [team]")
    .description("who is on call now, until when, and who is next")
    .option("-s, --service <service>", "for this service")
    .action(async (team: string | undefined, { service }: { service?: string }, command: Command) => {
      const { api } = await session(process.env);
      const query = { ...(team !== undefined && { group: team }), ...(service !== undefined && { service }) };
      tell(command, await answer(api.GET("/api/on-call", { params: { query } })), ({ onCall }) =>
        table(
          onCall,
          [
            { title: "TEAM", value: (row) => nameOf(row.group) },
            { title: "ON CALL", value: (row) => row.people.map(nameOf).join(", ") || "nobody" },
            { title: "UNTIL", value: untilOf },
            { title: "THEN", value: (row) => row.next.map(nameOf).join(", ") },
            { title: "WHY", value: (row) => row.because },
          ],
          "No team that owns anything, and no rotation. Load the organisation: cairn org load FILE",
        ),
      );
    });
}

const nameOf = (ref: string): string => ref.replace(/^(user|group):default\//, "");

const untilOf = ({ until }: OnCall): string => (until === null ? "-" : `${until} (${ago(until, new Date())})`);

const stateOf = ({ state, acknowledged }: Shown): string =>
  state === "open"
    ? status("firing").replace("firing", "open")
    : state === "acknowledged"
      ? status("held").replace("held", `${nameOf(acknowledged?.by ?? "")} looks at it`)
      : status("passed").replace("passed", "resolved");

function detailText(found: Detail): string {
  const { onCall, escalation, resolved, acknowledged, review } = found;
  const told = escalation.told.map(nameOf).join(", ");
  const next =
    escalation.nextAt && found.state === "open" ? `; nobody acknowledged yet, the next is told ${ago(escalation.nextAt, new Date())}` : "";
  return [
    `${bold(plain(found.title))}  ${stateOf(found)}`,
    plain(found.because),
    "",
    facts([
      ["Service", `${found.service ?? "none that the catalog knows"}${found.environment === null ? "" : ` in ${found.environment}`}`],
      ["Owner", found.owner ?? "nobody"],
      ["Severity", found.severity],
      ["Began", `${found.beganAt} (${ago(found.beganAt, new Date())})`],
      ["Opened", `${ago(found.openedAt, new Date())} by ${found.openedBy}`],
      ["On call", onCall ? `${onCall.people.map(nameOf).join(", ") || "nobody"}: ${onCall.because}` : undefined],
      ["Told", `${told || "nobody yet"}${next}`],
      ["Taken", acknowledged ? `by ${nameOf(acknowledged.by)}, ${ago(acknowledged.at, new Date())}` : undefined],
      ["Resolved", resolved ? `${ago(resolved.at, new Date())} by ${nameOf(resolved.by)}: ${resolved.because}` : undefined],
      ["Review", review.change === null ? review.state : `${review.state}: ${review.change}`],
    ]),
    "",
    bold("Suspects"),
    ...(found.suspects.length === 0
      ? ["  No release, no change of infrastructure, secrets or rules in the day before."]
      : found.suspects.flatMap((one, at) => [
          `  ${at + 1}. ${plain(one.title)}`,
          `     ${plain(one.because)}, by ${nameOf(one.by)}`,
          ...(one.wayBack ? [`     ${plain(one.wayBack.what)}: ${plain(one.wayBack.command)}`] : []),
        ])),
    "",
    bold("What happened"),
    ...found.timeline.map((entry) => `  ${dim(entry.at)}  ${plain(entry.text)}`),
    ...(found.state === "open" ? ["", `Take it: cairn incidents ack ${found.id}`] : []),
    ...(found.state === "acknowledged" ? ["", `When it is over: cairn incidents resolve ${found.id} -b WHAT_ENDED_IT`] : []),
  ].join("\n");
}

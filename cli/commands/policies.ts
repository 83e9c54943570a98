import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import { answer } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, dim, facts, short, status, table } from "../print.ts";
import { keepBundle } from "../pulled.ts";
import { ruleText } from "../rules.ts";
import { session } from "../session.ts";
import type { PolicySubject } from "@cairn/platform/offline.ts";

type Point = "change" | "plan" | "release" | "audit";

/** Rules, exceptions from them, and decisions made again. */
export function policyCommands(program: Command): void {
  const policies = program.command("policies").description("the rules in force, and what others would do");
  policies
    .command("list", { isDefault: true })
    .description("the rules in force")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/policies")), ({ bundle, rules }) =>
        [
          table(
            rules,
            [
              { title: "RULE", value: (row) => row.name },
              { title: "MODE", value: (row) => placesOf(row.modes) },
              { title: "AT", value: (row) => row.points.join(" ") },
              { title: "WHAT HOLDS", value: (row) => row.description },
            ],
            "No rule.",
          ),
          dim(bundle),
        ].join("\n"),
      );
    });
  policies
    .command("pull")
    .description("fetch the rules in force, for cairn check without a server")
    .option("--out <file>", "keep them in this file only")
    .action(async (options: { out?: string }, command: Command) => {
      const { api } = await session(process.env);
      const bundle = await answer(api.GET("/api/policies/bundle"));
      const file = options.out === undefined ? await keepBundle(process.env, bundle) : resolve(options.out);
      if (options.out !== undefined) await writeFile(file, `${JSON.stringify(bundle, null, 2)}\n`);
      tell(command, { digest: bundle.digest, file }, () => `${bundle.digest}\n${dim(file)}`);
    });

  policies
    .command("audit [service]")
    .description("what policy says today of what runs; nothing is taken down")
    .action(async (service: string | undefined, _options, command: Command) => {
      const { api } = await session(process.env);
      const query = service === undefined ? {} : { service };
      tell(command, await answer(api.GET("/api/audit", { params: { query } })), ({ audits }) =>
        audits.length === 0
          ? "Nothing that was released runs, or it was not looked at yet."
          : audits
              .map((audit) =>
                [
                  `${status(audit.outcome)}  ${audit.service} in ${audit.environment}  ${dim(`${audit.release}, since ${ago(audit.since, new Date())}, looked at ${ago(audit.checkedAt, new Date())}`)}`,
                  ...(audit.decision === null ? [`  ${audit.because}`] : [dim(`  ${audit.decision}`)]),
                  ...audit.results.map(ruleText),
                ].join("\n"),
              )
              .join("\n"),
      );
    });
  policies
    .command("test <folder>")
    .description("judge the cases of a rule, or of each rule in a folder, without a server")
    .addHelpText("after", "\nEnds with 1 where a case is not as it expects.")
    .action(async (folder: string, _options, command: Command) => {
      const { testRules } = await (await offlineModule()).offlineTry();
      const tested = await testRules(folder, new Date());
      tell(command, tested, (rules) =>
        rules
          .flatMap(({ rule, cases, failures }) => [
            `${status(failures.length === 0 ? "passed" : "failed")}  ${rule}: ${cases} cases${failures.length === 0 ? "" : `, ${failures.length} not as expected`}`,
            ...failures.map(({ title, because }) => `  ${title}: ${because.join("; ")}`),
          ])
          .join("\n"),
      );
      if (tested.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
    });
  policies
    .command("try <folder>")
    .description("what other rules would say of what runs, before they hold: a folder of rules, or of one rule among those in force")
    .addHelpText("after", "\nChanges nothing. Ends with 1 where something that goes today would be refused.")
    .action(async (folder: string, _options, command: Command) => {
      const { bundleOf, proposedRules, tryRules } = await (await offlineModule()).offlineTry();
      const { api } = await session(process.env);
      const inForce = await answer(api.GET("/api/policies/bundle"));
      const proposed = await proposedRules(folder, inForce.rules);
      const { audits } = await answer(api.GET("/api/audit", { params: { query: {} } }));
      const facts: PolicySubject[] = [];
      for (const { decision, release } of audits) {
        const { decision: released } = await answer(api.GET("/api/releases/{id}", { params: { path: { id: release } } }));
        for (const id of [decision, released])
          if (id !== null)
            facts.push((await answer(api.GET("/api/decisions/{id}/bundle", { params: { path: { id } } }))).subject as PolicySubject);
      }
      const present = bundleOf(inForce.rules);
      const tried = tryRules(facts, { present, proposed, reliefs: inForce.reliefs as never, now: new Date() });
      const rules = changedRules(inForce.rules, proposed.document);
      const stopped = tried.filter((one) => one.proposed === "deny" && one.today !== "deny");
      tell(command, { present: present.digest, proposed: proposed.digest, rules, tried }, () =>
        [
          rules.length === 0 ? "The rules are those in force." : `Rules that differ: ${rules.join(", ")}`,
          `Tried on what runs in ${audits.length} places: ${stopped.length === 0 ? "nothing more would be refused" : `${new Set(stopped.map((one) => `${one.service} ${one.environment}`)).size} would be refused that are not today`}.`,
          ...tried
            .filter(({ answers }) => answers.length > 0)
            .map((one) =>
              [
                `${status(one.proposed)}  ${one.service} in ${one.environment}, ${one.point === "audit" ? "as it runs" : "as it was released"}${one.today === one.proposed ? "" : dim(`  today ${one.today}`)}`,
                ...one.answers.map(ruleText),
              ].join("\n"),
            ),
          dim("Nothing has changed. Rules hold from the server's next start: npm stop && npm start"),
        ].join("\n"),
      );
      if (stopped.length > 0) process.exitCode = 1;
    });

  const decisions = program.command("decisions").description("what policy decided");
  decisions
    .command("list [service]", { isDefault: true })
    .description("decisions, newest first")
    .addOption(new Option("--at <point>", "only at this point").choices(["change", "plan", "release", "audit"]))
    .addOption(new Option("--outcome <outcome>", "only these").choices(["allow", "warn", "deny"]))
    .action(async (service: string | undefined, options: { at?: Point; outcome?: "allow" | "warn" | "deny" }, command: Command) => {
      const { api } = await session(process.env);
      const query = {
        ...(service !== undefined && { service }),
        ...(options.at && { point: options.at }),
        ...(options.outcome && { outcome: options.outcome }),
      };
      tell(command, await answer(api.GET("/api/decisions", { params: { query } })), ({ decisions }) =>
        table(
          decisions,
          [
            { title: "DECISION", value: (row) => row.id },
            { title: "AT", value: (row) => row.point },
            { title: "OF", value: (row) => row.results[0]?.subject || row.about },
            { title: "OUTCOME", value: (row) => status(row.outcome) },
            { title: "WHEN", value: (row) => ago(row.decidedAt, new Date()) },
            {
              title: "WHAT DOES NOT HOLD",
              value: (row) =>
                row.results
                  .filter(({ outcome }) => outcome !== "passed")
                  .map(({ rule }) => rule)
                  .join(" "),
            },
          ],
          "No decision.",
        ),
      );
    });
  const show = async (id: string, _options: unknown, command: Command): Promise<void> => {
    const { api } = await session(process.env);
    tell(command, await answer(api.GET("/api/decisions/{id}", { params: { path: { id } } })), (decision) =>
      [
        `${status(decision.outcome)}  ${decision.about} at the point ${decision.point}`,
        facts([
          ["Decided", decision.decidedAt],
          ["Rules", decision.bundle],
          ["Facts", decision.subject],
          ["Evaluator", decision.evaluator],
        ]),
        ...decision.results.map(ruleText),
      ].join("\n"),
    );
  };
  decisions
    .command("show <decision>")
    .description("a decision: what each rule says, what to do, and who may grant an exception")
    .action(show);
  program.command("decision <decision>").description("the same as decisions show").action(show);

  const exceptions = program.command("exceptions").description("exceptions from rules");
  exceptions
    .command("list", { isDefault: true })
    .description("who granted what, and until when")
    .option("-s, --service <service>")
    .option("--holding", "only those that hold now")
    .action(async (options: { service?: string; holding?: boolean }, command: Command) => {
      const { api } = await session(process.env);
      const query = { ...(options.service && { service: options.service }), ...(options.holding && { holding: "true" }) };
      tell(command, await answer(api.GET("/api/exceptions", { params: { query } })), ({ exceptions: rows }) =>
        table(
          rows,
          [
            { title: "EXCEPTION", value: (row) => row.id },
            { title: "SERVICE", value: (row) => row.service },
            { title: "ENVIRONMENT", value: (row) => row.environment ?? "every" },
            { title: "RULES", value: (row) => row.rules.join(" ") },
            { title: "STATE", value: (row) => row.state },
            { title: "UNTIL", value: (row) => row.ended?.at ?? row.until },
            { title: "BY", value: (row) => row.grantedBy },
            { title: "WHY", value: (row) => row.because },
          ],
          "No exception.",
        ),
      );
    });
  exceptions
    .command("grant <service> <rules...>")
    .description("let a service go on although these rules refuse, until a time")
    .requiredOption("-u, --until <instant>", "when it ends: 2026-03-01T18:00:00Z, or 8h, 14d from now")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .option("-e, --environment <environment>", "only there")
    .action(
      async (service: string, rules: string[], options: { until: string; because: string; environment?: string }, command: Command) => {
        const { api } = await session(process.env);
        const { environment, because } = options;
        const body = { service, rules, until: instant(options.until), because, ...(environment !== undefined && { environment }) };
        const granted = await answer(api.POST("/api/exceptions", { body }));
        tell(command, granted, () =>
          facts([
            ["Exception", granted.id],
            ["From", granted.rules.join(", ")],
            ["For", `${granted.service} in ${granted.environment ?? "every environment"}`],
            ["Until", granted.until],
          ]),
        );
      },
    );
  exceptions
    .command("end <exception>")
    .description("end an exception before its time")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (id: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const ended = await answer(api.POST("/api/exceptions/{id}/end", { params: { path: { id } }, body: { because } }));
      tell(command, ended, () => `${ended.id} holds no more`);
    });

  program
    .command("replay <decision>")
    .description("make a decision again from its bundle, here and without the server: the same bytes, or what is not as it was")
    .option("--out <file>", "keep the bundle, for cairn replay FILE anywhere")
    .action(async (decision: string, options: { out?: string }, command: Command) => {
      const { offlinePolicy } = await import("@cairn/platform/offline.ts");
      const { replayFile } = await offlinePolicy();
      const isFile = await stat(decision).then((found) => found.isFile(), () => false); // prettier-ignore
      if (!isFile && !/^dec_[0-9a-f]{26}$/.test(decision))
        throw new Fault("invalid", "cli.decision", `${decision} is no decision and no file`, "Write dec_..., or the file of a bundle.");
      const scratch = await mkdtemp(join(tmpdir(), "cairn-replay-"));
      try {
        const file = isFile ? decision : options.out !== undefined ? resolve(options.out) : join(scratch, "bundle.json");
        if (!isFile) {
          const { api } = await session(process.env);
          const bundle = await answer(api.GET("/api/decisions/{id}/bundle", { params: { path: { id: decision } } }));
          await writeFile(file, JSON.stringify(bundle));
        }
        const replayed = await replayFile(file);
        tell(command, replayed, ({ same, differences, kept, again }) =>
          [
            `${status(same ? "passed" : "failed")}  ${replayed.decision}: ${same ? `the same again, ${replayed.outcome}` : "not as it was"}`,
            ...differences.map((line) => `  ${line}`),
            dim(same ? `  ${kept}` : `  kept ${short(kept)}, again ${short(again)}`),
          ].join("\n"),
        );
        if (!replayed.same) process.exitCode = 1;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });
}

const offlineModule = () => import("@cairn/platform/offline.ts");

/** The names of rules that are new, gone or other. */
function changedRules(present: unknown, proposed: unknown): string[] {
  const byName = (document: unknown) =>
    new Map(
      (document as { policies: { metadata: { name: string } }[] }).policies.map((rule) => [rule.metadata.name, JSON.stringify(rule)]),
    );
  const [before, after] = [byName(present), byName(proposed)];
  return [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name)).toSorted();
}

const placesOf = (modes: Record<string, string>): string =>
  Object.entries(modes)
    .map(([place, mode]) => (place === "default" ? mode : `${place}: ${mode}`))
    .join(", ");

/** `8h`, `14d`, or an instant as it stands. */
function instant(text: string): string {
  const [, count, unit] = /^(\d{1,4})([hd])$/.exec(text) ?? [];
  if (count !== undefined) return new Date(Date.now() + Number(count) * (unit === "h" ? 3_600_000 : 86_400_000)).toISOString();
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new Fault("invalid", "cli.instant", `${text} is no time`, "Write 2026-03-01T18:00:00Z, 8h or 14d.");
  return at.toISOString();
}

import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, table } from "../print.ts";
import { session } from "../session.ts";

type Window = Answered<"listWindows">["windows"][number];

export function windowCommands(program: Command): void {
  const windows = program.command("windows").description("when releases may begin");
  windows
    .command("list", { isDefault: true })
    .description("windows and freezes that hold, and whose they are")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/windows")), (list) =>
        table(
          list.windows,
          [
            { title: "NAME", value: (row) => row.rule.name },
            { title: "KIND", value: (row) => row.rule.kind },
            { title: "NOW", value: stateOf },
            { title: "UNTIL", value: (row) => row.until },
            { title: "SPEAKS OF", value: scopeOf },
            { title: "BY", value: (row) => `${row.by}, ${ago(row.at, new Date())}` },
            { title: "BECAUSE", value: (row) => row.rule.because },
          ],
          "No window and no freeze: releases may begin at any time. Load some: cairn windows load FILE",
        ),
      );
    });
  windows
    .command("load <file>")
    .description("make the windows and freezes of a YAML file the organisation's, in place of those that were")
    .action(async (file: string, _options, command: Command) => {
      const { api } = await session(process.env);
      const body = await readFile(file, "utf8");
      const loaded = await answer(
        api.PUT("/api/windows", { body: body as never, bodySerializer: String, headers: { "content-type": "application/yaml" } }),
      );
      tell(
        command,
        loaded,
        ({ added, changed, removed, unchanged }) =>
          `Loaded: ${added.length} new, ${changed.length} changed, ${removed.length} gone, ${unchanged.length} as they were.`,
      );
    });

  const freeze = program.command("freeze").description("let no release begin for a while; the way back stays open");
  freeze
    .command("declare", { isDefault: true })
    .description("from now until an end: --for 4h, or --until 2026-12-24T18:00")
    .option("-u, --until <time>", "a time here, or with an offset")
    .option("-f, --for <duration>", "90m, 4h or 2d")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .option("-n, --name <name>")
    .option("-s, --service <name...>", "these alone; without it every service, which takes an administrator")
    .option("-e, --environment <name...>", "these alone; without it every production environment")
    .action(async (options: FreezeOptions, command: Command) => {
      const until = endOf(options, new Date());
      const { api } = await session(process.env);
      const body = {
        until: until.toISOString(),
        because: options.because,
        ...(options.name && { name: options.name }),
        ...(options.service && { services: options.service }),
        ...(options.environment && { environments: options.environment }),
      };
      const declared = await answer(api.POST("/api/freezes", { body }));
      tell(
        command,
        declared,
        ({ rule }) => `Frozen until ${until.toISOString()}. To end it sooner: cairn freeze end ${rule.name} --because REASON`,
      );
    });
  freeze
    .command("end <freeze>")
    .description("end a declared freeze, by its name or id")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (id: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const ended = await answer(api.POST("/api/freezes/{id}/end", { params: { path: { id } }, body: { because } }));
      tell(command, ended, ({ rule }) => `Ended: ${rule.name}. What waited for it alone goes on now.`);
    });
}

interface FreezeOptions {
  until?: string;
  for?: string;
  because: string;
  name?: string;
  service?: string[];
  environment?: string[];
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function endOf(options: FreezeOptions, now: Date): Date {
  const [, count, unit] = /^(\d{1,5})([mhd])$/.exec(options.for ?? "") ?? [];
  if (count !== undefined && options.until === undefined) return new Date(now.getTime() + Number(count) * UNIT_MS[unit as "m"]);
  const until = new Date(options.until ?? Number.NaN);
  if (options.for !== undefined || Number.isNaN(until.getTime()))
    throw new Fault(
      "invalid",
      "cli.freeze_end",
      "It is not said when the freeze ends",
      "Add --for 4h (or 90m, 2d), or --until 2026-12-24T18:00, one of the two.",
    );
  return until;
}

const stateOf = ({ rule, on }: Window): string => (rule.kind === "window" ? (on ? "open" : "closed") : on ? "on" : "off");

const scopeOf = ({ rule: { environments, services, teams } }: Window): string =>
  [...(services ?? []), ...(teams ?? []), `in ${environments?.join(", ") ?? "production"}`].join(", ");

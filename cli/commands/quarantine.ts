import type { Command } from "commander";
import { answer } from "@cairn/api";
import { tell } from "../answer.ts";
import { ago, short, table } from "../print.ts";
import { session } from "../session.ts";

export function quarantineCommands(program: Command): void {
  const quarantine = program.command("quarantine").description("artifacts that are not released and not started again");
  quarantine
    .command("list", { isDefault: true })
    .description("what is barred, by whom or by which release, and why")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/quarantine")), (list) =>
        table(
          list.quarantine,
          [
            { title: "SERVICE", value: (row) => row.service },
            { title: "ARTIFACT", value: (row) => row.artifactDigest },
            { title: "BY", value: (row) => row.release ?? row.by },
            { title: "SINCE", value: (row) => ago(row.createdAt, new Date()) },
            { title: "BECAUSE", value: (row) => row.because },
          ],
          "Nothing is quarantined.",
        ),
      );
    });
  quarantine
    .command("add <service> <artifact>")
    .description("bar an artifact (sha256:...) of a service; what runs of it runs on, and does not start again")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (service: string, artifactDigest: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const entry = await answer(api.POST("/api/quarantine", { body: { service, artifactDigest, because } }));
      tell(command, entry, () => `Barred: ${short(artifactDigest)} of ${service}.`);
    });
  quarantine
    .command("lift <quarantined>")
    .description("let a quarantined artifact be released and started again")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (digest: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const lifted = await answer(api.POST("/api/quarantine/{digest}/lift", { params: { path: { digest } }, body: { because } }));
      tell(command, lifted, ({ quarantine: entries }) => `Lifted: ${entries.map(({ service }) => service).join(", ")}.`);
    });
}

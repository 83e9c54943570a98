import { open } from "node:fs/promises";
import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { tell } from "../answer.ts";
import { dim, status } from "../print.ts";
import { session } from "../session.ts";

type Audit = Answered<"verifyLedger">;

export function auditCommands(program: Command): void {
  const audit = program.command("audit").description("whether the ledger is as it was written");
  audit
    .command("verify [export]")
    .description("find a line that was changed, removed or put in; with an export, without a server")
    .option("--key <file>", "the platform's public key, for an export")
    .option("--checkpoints <file>", "the platform's copy of its checkpoints, for an export")
    .action(async (file: string | undefined, options: { key?: string; checkpoints?: string }, command: Command) => {
      const found = file === undefined ? await onServer() : await offline(file, options);
      tell(command, found, auditText);
      if (!found.holds) process.exitCode = 1;
    });
  audit
    .command("export")
    .description("the whole ledger with its signed checkpoints, a JSON value a line")
    .option("--out <file>", "where to write it", "ledger.jsonl")
    .action(async ({ out }: { out: string }, command: Command) => {
      const { api } = await session(process.env);
      const found = await onServer();
      const signed = await answer(api.GET("/api/ledger/checkpoints"));
      const file = await open(out, "w");
      let lines = 0;
      try {
        const write = (value: unknown) => file.write(`${JSON.stringify(value)}\n`);
        await write({ format: "cairn-ledger/1", publicKey: signed.publicKey, exportedAt: new Date() });
        for (let after = 0; after < found.seq;) {
          const { events } = await answer(api.GET("/api/ledger", { params: { query: { after, limit: 500 } } }));
          for (const event of events) await write(event);
          lines += events.length;
          after = events.at(-1)?.seq ?? found.seq;
        }
        for (const checkpoint of signed.checkpoints) await write(checkpoint);
      } finally {
        await file.close();
      }
      tell(
        command,
        { out, lines, checkpoints: signed.checkpoints.length, holds: found.holds },
        (it) => `Wrote ${it.lines} lines and ${it.checkpoints} checkpoints to ${it.out}. Check it anywhere: cairn audit verify ${it.out}`,
      );
    });
}

const onServer = async (): Promise<Audit> => answer((await session(process.env)).api.POST("/api/ledger/verify"));

async function offline(file: string, options: { key?: string; checkpoints?: string }) {
  const { offlineAudit } = await import("@cairn/platform/offline.ts");
  const { auditExport } = await offlineAudit();
  return auditExport(file, {
    ...(options.key !== undefined && { keyFile: options.key }),
    ...(options.checkpoints !== undefined && { checkpointsFile: options.checkpoints }),
  });
}

function auditText(found: Audit & { keyId?: string; ownKey?: boolean }): string {
  const covered =
    found.coveredTo === 0 ? "no checkpoint yet" : `${found.checkpoints} signed checkpoints, the last at line ${found.coveredTo}`;
  return [
    found.holds
      ? `${status("passed")}  ${found.lines} lines are as they were written; ${covered}`
      : `${status("failed")}  the ledger is not as it was written`,
    ...found.faults.map(({ because }) => `  ${because}`),
    ...(found.ownKey ? [dim(`Checked with the key in the export, ${found.keyId}: compare it, or give the platform's own by --key.`)] : []),
  ].join("\n");
}

import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { answer } from "@cairn/api";
import { tell } from "../answer.ts";
import { session } from "../session.ts";

export function exportCommands(program: Command): void {
  const exported = program.command("export").description("take something along, to be checked elsewhere");
  exported
    .command("evidence <release>")
    .description("how a release came about, from commit to running bytes; docs/verify-evidence.mjs checks it")
    .option("--out <file>", "where to write it; evidence-RELEASE.json unless told")
    .action(async (release: string, options: { out?: string }, command: Command) => {
      const { api } = await session(process.env);
      const bundle = await answer(api.GET("/api/releases/{id}/evidence", { params: { path: { id: release } } }));
      const out = options.out ?? `evidence-${release}.json`;
      await writeFile(out, `${JSON.stringify(bundle, null, 1)}\n`);
      tell(
        command,
        { out, evidence: bundle.evidence.length },
        (it) => `Wrote ${it.out} with ${it.evidence} pieces of evidence. Check it anywhere: node docs/verify-evidence.mjs ${it.out} --live`,
      );
    });
}

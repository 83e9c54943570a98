import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { Fault, messageOf } from "@cairn/platform/kernel/faults.ts";
import { tell } from "../answer.ts";
import { ago, facts, short, status, table } from "../print.ts";
import { session } from "../session.ts";

export function evidenceCommands(program: Command): void {
  const evidence = program.command("evidence").description("what was proven about an artifact");
  evidence
    .command("list <artifact>", { isDefault: true })
    .description("the evidence about an artifact, by its digest")
    .action(async (artifact: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/evidence", { params: { query: { artifact } } })), ({ evidence: rows }) =>
        table(
          rows,
          [
            { title: "EVIDENCE", value: (row) => row.digest },
            { title: "KIND", value: (row) => row.kind },
            { title: "RESULT", value: (row) => status(row.revokedBecause === null ? row.result : "revoked") },
            { title: "COMMIT", value: (row) => `${row.repository}@${short(row.commit)}` },
            { title: "BUILDER", value: (row) => `${row.builder}${row.isolated ? "" : " (not isolated)"}` },
            { title: "WHEN", value: (row) => ago(row.observedAt, new Date()) },
            { title: "REVOKED BECAUSE", value: (row) => row.revokedBecause },
          ],
          `No evidence about ${artifact}. A release names its artifact: cairn release ID`,
        ),
      );
    });
  evidence
    .command("show <digest>")
    .description("one piece of evidence, and what rests on it")
    .action(async (digest: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/evidence/{digest}", { params: { path: { digest } } })), (found) =>
        [
          facts([
            ["Kind", found.evidence.kind],
            ["Result", found.evidence.result],
            ["Artifact", found.evidence.artifactDigest],
            ["Built from", `${found.evidence.repository}@${found.evidence.commit}`],
            ["By", `${found.evidence.builder}, ${found.evidence.isolated ? "isolated" : "not isolated"}`],
            ["Signed by", found.evidence.signedBy],
            ["Observed", ago(found.evidence.observedAt, new Date())],
            ["Says", JSON.stringify(found.evidence.summary)],
            ["Revoked", found.evidence.revokedBecause ?? undefined],
          ]),
          "",
          reachText(found),
        ].join("\n"),
      );
    });
  evidence
    .command("file <artifact> <envelopes...>")
    .description("hand in signed evidence from elsewhere: files with one DSSE envelope each")
    .requiredOption("--repository <name>", "what the artifact was built from")
    .requiredOption("--commit <sha>")
    .action(async (artifact: string, files: string[], options: { repository: string; commit: string }, command: Command) => {
      const { api } = await session(process.env);
      const envelopes = await Promise.all(files.map(readJson));
      const filed = await answer(api.POST("/api/evidence", { body: { artifact, ...options, envelopes } }));
      tell(command, filed, (it) => it.evidence.map(({ kind, result, digest }) => `${status(result)}  ${kind} ${digest}`).join("\n"));
    });
  evidence
    .command("revoke <digest>")
    .description("take evidence back: decisions that cite it are re-opened")
    .requiredOption("-b, --because <reason>", "kept in the ledger")
    .action(async (digest: string, { because }: { because: string }, command: Command) => {
      const { api } = await session(process.env);
      const revoked = await answer(api.POST("/api/evidence/{digest}/revoke", { params: { path: { digest } }, body: { because } }));
      tell(command, revoked, (it) => [`Revoked: ${it.evidence.revokedBecause}`, "", reachText(it)].join("\n"));
    });
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Fault(
      "invalid",
      "cli.envelope",
      `${file} can't be read: ${messageOf(error)}`,
      "Give files with one DSSE envelope in JSON each.",
    );
  }
}

/** Which decisions cite it, and which releases they carry. */
function reachText({ decisions, releases }: Pick<Answered<"revokeEvidence">, "decisions" | "releases">): string {
  return [
    table(
      decisions,
      [
        { title: "DECISION", value: (row) => row.decision },
        { title: "STATE", value: (row) => (row.reopenedAt === null ? "stands" : `re-opened ${ago(row.reopenedAt, new Date())}`) },
      ],
      "No decision cites it.",
    ),
    "",
    table(
      releases,
      [
        { title: "RELEASE", value: (row) => row.id },
        { title: "SERVICE", value: (row) => row.service },
        { title: "ENVIRONMENT", value: (row) => row.environment },
        { title: "STATE", value: (row) => (row.state === "promoted" ? "serves" : row.state.replaceAll("_", " ")) },
        { title: "DECISION", value: (row) => row.decision },
      ],
      "No release that serves or is on its way rests on it.",
    ),
  ].join("\n");
}

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { createPublicKey } from "node:crypto";
import { z } from "zod";
import { keyIdOf, statementIn } from "../evidence/dsse.ts";
import { Fault, messageOf } from "../kernel/faults.ts";
import { audit, type Audit, type Checkpoint } from "../ledger/audit.ts";
import { CheckpointLine, readCheckpoint, saysSo } from "../ledger/checkpoints.ts";
import { LedgerLine, type RecordedEvent } from "../ledger/model.ts";

/** An exported ledger: a JSON value a line. The head first, then the lines of the ledger, then its checkpoints. */
const Head = z.object({ format: z.literal("cairn-ledger/1"), publicKey: z.string() });

export interface OfflineAudit extends Audit {
  /** Of the key that the checkpoints were checked with, and whether it came with the export itself. */
  keyId: string;
  ownKey: boolean;
}

/**
 * Audits an exported ledger without a server or a database. `keyFile`: the platform's public key from elsewhere; without it the export's own is believed, and the answer says so. `checkpointsFile`: the
 * platform's copy outside its database. Throws `audit.no_export` for what is none.
 */
export async function auditExport(file: string, from: { keyFile?: string; checkpointsFile?: string } = {}): Promise<OfflineAudit> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  const checkpoints: Checkpoint[] = [];
  try {
    const head = Head.parse(JSON.parse((await lines.next()).value as string));
    const publicKey = createPublicKey(from.keyFile === undefined ? head.publicKey : await readFile(from.keyFile));
    const kept: RecordedEvent[] = [];
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      const value: unknown = JSON.parse(next.value);
      const line = LedgerLine.safeParse(value);
      if (line.success) kept.push(line.data);
      else checkpoints.push(CheckpointLine.parse(value) as Checkpoint);
    }
    const sources = [{ name: "the export", checkpoints }];
    if (from.checkpointsFile !== undefined)
      sources.push({
        name: from.checkpointsFile,
        checkpoints: (await readFile(from.checkpointsFile, "utf8")).split("\n").slice(0, -1).map(readCheckpoint),
      });
    const isSigned = (checkpoint: Checkpoint) => saysSo(statementIn(checkpoint.envelope, { publicKey }), checkpoint);
    const found = await audit((async function* () { yield kept; })(), sources, isSigned); // prettier-ignore
    return { ...found, keyId: keyIdOf(publicKey), ownKey: from.keyFile === undefined };
  } catch (error) {
    throw new Fault(
      "invalid",
      "audit.no_export",
      `${file} can't be audited: ${messageOf(error).split("\n")[0]}`,
      "Make an export: cairn audit export --out FILE",
    );
  }
}

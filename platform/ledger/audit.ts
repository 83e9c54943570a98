import type { Digest } from "../kernel/digest.ts";
import { hashOf } from "./chain.ts";
import type { RecordedEvent } from "./model.ts";

/** What the platform signed about the ledger: that line `seq` had this hash, and so all before it theirs. */
export interface Checkpoint {
  seq: number;
  hash: Digest;
  at: Date;
  /** DSSE envelope around an in-toto statement of the above. */
  envelope: unknown;
}

export interface AuditFault {
  /** The line that it is about. */
  seq: number;
  because: string;
}

export interface Audit {
  holds: boolean;
  lines: number;
  /** The last line that is there. */
  seq: number;
  hash: Digest | "";
  /** Signed checkpoints that the lines were compared with. */
  checkpoints: number;
  /** Up to here a removal would be noticed: the last line that a checkpoint covers. */
  coveredTo: number;
  faults: AuditFault[];
}

/** Where checkpoints come from, to say where one is missing or wrong. */
export interface CheckpointSource {
  name: string;
  checkpoints: readonly Checkpoint[];
}

const MOST_FAULTS = 20;

/**
 * Reads a ledger from its first line to its last and names what does not fit: a line that was changed, removed (also the last ones), or put in. Lines come in order, in pages of any size. `isSigned` says whether the
 * platform's key signed a checkpoint. `reached` are lines that others have seen, by who saw them. Faults are a value: it throws nothing of its own.
 */
export async function audit(
  pages: AsyncIterable<readonly RecordedEvent[]>,
  sources: readonly CheckpointSource[],
  isSigned: (checkpoint: Checkpoint) => boolean,
  reached: Readonly<Record<string, number>> = {},
): Promise<Audit> {
  const faults: AuditFault[] = [];
  const signed = new Map<number, { hash: Digest; from: string }>();
  for (const { name, checkpoints } of sources)
    for (const checkpoint of checkpoints) {
      if (!isSigned(checkpoint))
        faults.push({
          seq: checkpoint.seq,
          because: `the checkpoint at line ${checkpoint.seq} in ${name} is not signed by the platform's key`,
        });
      else if (!signed.has(checkpoint.seq)) signed.set(checkpoint.seq, { hash: checkpoint.hash, from: name });
    }
  // Each place has what another has: only the last of all may be on its way to the second.
  const newest = Math.max(0, ...sources.flatMap(({ checkpoints }) => checkpoints.map(({ seq }) => seq)));
  for (const { name, checkpoints } of sources) {
    const own = new Set(checkpoints.map(({ seq }) => seq));
    for (const other of sources)
      for (const { seq } of other.checkpoints)
        if (seq !== newest && !own.has(seq))
          faults.push({ seq, because: `${name} lacks the checkpoint at line ${seq} that ${other.name} has` });
  }

  let lines = 0;
  let lastFit = 0;
  let last: { seq: number; hash: Digest | "" } = { seq: 0, hash: "" };
  const fault = (seq: number, because: string) => void faults.push({ seq, because });
  for await (const page of pages)
    for (const line of page) {
      lines++;
      if (line.seq > last.seq + 1) fault(last.seq + 1, `${span(last.seq + 1, line.seq - 1)} missing`);
      else if (line.previousHash !== last.hash)
        fault(line.seq, `line ${line.seq} does not follow from line ${last.seq}: one was put in, or line ${last.seq} was written anew`);
      if (hashOf(line) !== line.hash) fault(line.seq, `line ${line.seq} was changed after it was written`);
      const checkpoint = signed.get(line.seq);
      if (checkpoint && checkpoint.hash !== line.hash)
        fault(
          line.seq,
          `${span(lastFit + 1, line.seq, "was", "were")} written anew: the checkpoint at line ${line.seq} in ${checkpoint.from} signed another hash`,
        );
      else if (checkpoint) lastFit = line.seq;
      last = line;
    }
  const coveredTo = Math.max(0, ...signed.keys());
  if (coveredTo > last.seq)
    fault(last.seq + 1, `${span(last.seq + 1, coveredTo)} missing at the end: a checkpoint covers ${coveredTo} lines`);
  else
    for (const [who, seq] of Object.entries(reached))
      if (seq > last.seq) fault(last.seq + 1, `${span(last.seq + 1, seq)} missing at the end: ${who} has seen line ${seq}`);
  const first = faults.toSorted((a, b) => a.seq - b.seq).slice(0, MOST_FAULTS);
  return { holds: faults.length === 0, lines, seq: last.seq, hash: last.hash, checkpoints: signed.size, coveredTo, faults: first };
}

const span = (from: number, to: number, one = "is", more = "are"): string =>
  from === to ? `line ${from} ${one}` : `lines ${from} to ${to} ${more}`;

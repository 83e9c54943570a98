import { digestOf, type Digest } from "../kernel/digest.ts";
import type { RecordedEvent } from "./model.ts";

/** The hash of a line: over its content and the hash of the line before, so that changing, removing or inserting one breaks all after it. */
export const hashOf = (line: Omit<RecordedEvent, "hash">): Digest =>
  digestOf({
    seq: line.seq,
    at: line.at,
    type: line.type,
    about: line.about,
    actor: line.actor,
    data: line.data,
    previousHash: line.previousHash,
  });

export type ChainFault = { seq: number; because: string };

/** The first line that does not fit, or undefined. `previousHash` is that of the line before the first one given; lines come in order. */
export function firstBreak(lines: readonly RecordedEvent[], previous: { seq: number; hash: Digest | "" }): ChainFault | undefined {
  for (const line of lines) {
    if (line.seq !== previous.seq + 1)
      return { seq: previous.seq + 1, because: `line ${previous.seq + 1} is missing; the next is ${line.seq}` };
    if (line.previousHash !== previous.hash) return { seq: line.seq, because: `line ${line.seq} does not follow from the line before it` };
    if (hashOf(line) !== line.hash) return { seq: line.seq, because: `line ${line.seq} was changed after it was written` };
    previous = line;
  }
  return undefined;
}

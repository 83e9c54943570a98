import { z } from "zod";
import type { Digest } from "../kernel/digest.ts";

/** Who did it: an entity reference (`user:default/ada`) or a part of the platform (`system:deliver-commit`). */
export type Actor = string;

/** One line of the record, before it is kept. */
export interface Event {
  /** `subject.what_happened` in the past tense: `catalog.service_registered`. */
  type: string;
  /** What it is about: an entity reference or another stable identity, e.g. `component:default/orders`. */
  about: string;
  actor: Actor;
  /** Facts for programs. References and digests, never secrets. */
  data?: Record<string, unknown>;
}

/** A line of the record as kept. `hash` covers the line and the hash before it. */
export interface RecordedEvent extends Required<Event> {
  seq: number;
  at: Date;
  previousHash: Digest | "";
  hash: Digest;
}

export const digest = z.templateLiteral(["sha256:", z.string()]);

/** A line as it is exported, and as the API gives it. */
export const LedgerLine = z.object({
  seq: z.number(),
  at: z.coerce.date(),
  type: z.string(),
  about: z.string(),
  actor: z.string(),
  data: z.record(z.string(), z.unknown()),
  previousHash: z.union([digest, z.literal("")]),
  hash: digest,
});

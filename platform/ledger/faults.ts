import type { Digest } from "../kernel/digest.ts";
import { Fault } from "../kernel/faults.ts";

export const documentMissing = (digest: Digest) =>
  new Fault(
    "not_found",
    "ledger.document_missing",
    `No document has the digest ${digest}`,
    "Check the digest; documents are never removed.",
  );

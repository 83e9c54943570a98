import { find as findDecision } from "../policy/store.ts";
import { find as findRelease } from "../releases/store.ts";
import { ADMISSION, admissionOf } from "../runtime/admission.ts";
import type { AdmittedRevision, Revision } from "../runtime/contract.ts";
import { releaseNotAllowed } from "./faults.ts";
import type { Parts } from "./parts.ts";

/** A revision with the platform's signature under the decision of its release: the one place that signs admissions. Throws `workflows.release_not_allowed` where that decision is none, or denied it. */
export async function admit(
  { db, clock, signAdmission }: Pick<Parts, "db" | "clock" | "signAdmission">,
  revision: Revision,
): Promise<AdmittedRevision> {
  const { decision } = await findRelease(db, revision.release);
  const found = decision === null ? undefined : await findDecision(db, decision);
  if (!found || found.outcome === "deny") throw releaseNotAllowed(revision.release, found?.id);
  return { ...revision, admission: signAdmission(ADMISSION, admissionOf(revision, { id: found.id, outcome: found.outcome }, clock.now())) };
}

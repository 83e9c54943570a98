import { Fault } from "../kernel/faults.ts";

const REBUILD = "Let CI build the commit again: it files evidence of its own.";

export const envelopeInvalid = (because: string) =>
  new Fault(
    "invalid",
    "evidence.envelope_invalid",
    `This is no evidence that can be read: ${because}`,
    "Send an in-toto Statement v1 in a DSSE envelope.",
  );

export const signatureInvalid = (because: string) =>
  new Fault("forbidden", "evidence.signature_invalid", `The evidence is not signed by a trusted builder: ${because}`, REBUILD);

export const otherArtifact = (expected: string, found: string) =>
  new Fault("invalid", "evidence.other_artifact", `The evidence speaks of ${found || "no artifact"}, not of ${expected}`, REBUILD, {
    expected,
    found,
  });

export const otherSource = (expected: string, found: string) =>
  new Fault(
    "invalid",
    "evidence.other_source",
    `The evidence says the artifact was built from ${found || "an unknown source"}, not from ${expected}`,
    REBUILD,
    { expected, found },
  );

export const otherBuilder = (expected: string, found: string) =>
  new Fault(
    "forbidden",
    "evidence.other_builder",
    `The key belongs to ${expected}, but the evidence names ${found || "no builder"}`,
    REBUILD,
  );

export const predicateUnknown = (predicateType: string) =>
  new Fault(
    "invalid",
    "evidence.predicate_unknown",
    `Evidence of type ${predicateType} is not understood`,
    "Send SLSA provenance v1, test-result v0.1, CycloneDX or SARIF 2.1.0.",
  );

export const notNow = (because: string) =>
  new Fault(
    "invalid",
    "evidence.not_now",
    `The evidence's times can't be right: ${because}`,
    "Build or scan again, with the right time on the machine that does it, and file what it says at once.",
  );

export const noProvenance = (artifact: string) =>
  new Fault(
    "precondition",
    "evidence.no_provenance",
    `Nothing says where ${artifact} comes from, so other evidence about it can't be placed`,
    "File the provenance first, or with it.",
  );

export const evidenceMissing = (digest: string) =>
  new Fault("not_found", "evidence.missing", `There is no evidence ${digest}`, "See GET /api/evidence?artifact= for what there is.");

export const buildersInvalid = (path: string, because: string) =>
  new Fault(
    "invalid",
    "evidence.builders_invalid",
    `${path} can't be read: ${because}`,
    "List each builder with its id and its public key in PEM.",
  );

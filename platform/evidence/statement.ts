import { z } from "zod";

/** in-toto Statement v1: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export const Statement = z.looseObject({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z.array(z.looseObject({ name: z.string().optional(), digest: z.record(z.string(), z.string()) })).min(1),
  predicateType: z.string(),
  predicate: z.record(z.string(), z.unknown()),
});
export type Statement = z.infer<typeof Statement>;

export const PROVENANCE = "https://slsa.dev/provenance/v1";
export const TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1";
export const CYCLONEDX = "https://cyclonedx.org/bom";

const Source = z.looseObject({ uri: z.string().optional(), digest: z.record(z.string(), z.string()).optional() });

/** SLSA provenance v1, as far as it is read here. `internalParameters.isolated` is what the builder says of itself. */
export const Provenance = z.looseObject({
  buildDefinition: z.looseObject({
    buildType: z.string(),
    externalParameters: z.looseObject({ repository: z.string(), commit: z.string() }),
    internalParameters: z.looseObject({ isolated: z.boolean().optional(), isolation: z.string().optional() }).optional(),
    resolvedDependencies: z.array(Source).default([]),
  }),
  runDetails: z.looseObject({
    builder: z.looseObject({ id: z.string() }),
    metadata: z
      .looseObject({ invocationId: z.string().optional(), startedOn: z.iso.datetime().optional(), finishedOn: z.iso.datetime().optional() })
      .optional(),
  }),
});
export type Provenance = z.infer<typeof Provenance>;

export const TestResult = z.looseObject({
  result: z.enum(["PASSED", "WARNED", "FAILED"]),
  configuration: z.array(Source).min(1),
  passedTests: z.array(z.string()).optional(),
  warnedTests: z.array(z.string()).optional(),
  failedTests: z.array(z.string()).optional(),
  /** Cairn's own counts: the names alone do not tell how many there were. */
  totals: z.looseObject({ total: z.number(), failed: z.number(), skipped: z.number() }).optional(),
});

export const Sbom = z.looseObject({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.string(),
  components: z.array(z.looseObject({ type: z.string(), name: z.string() })).optional(),
  compositions: z.array(z.looseObject({ aggregate: z.string() })).optional(),
});

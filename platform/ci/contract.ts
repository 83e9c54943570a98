import { z } from "zod";

/** cairn.yaml: what a repository declares. CI knows no language: it runs these commands, in this order, each by `sh -c` in the root of a clean checkout. */
export const Contract = z.strictObject({
  apiVersion: z.literal("cairn.dev/v1"),
  kind: z.literal("Contract"),
  ci: z.strictObject({
    build: z.string().optional().describe("installs dependencies and compiles"),
    test: z.string().describe("exits 0 when all tests passed"),
    /** JUnit XML that `test` writes. */
    junit: z.string().default("reports/junit.xml"),
    /** Prints a CycloneDX JSON document on standard output. Without it the SBOM lists files only. */
    sbom: z.string().optional(),
    /** Runs before packing, e.g. removes development dependencies. */
    package: z.string().optional(),
    /** Files and folders that go into the artifact. */
    include: z.array(z.string()).min(1),
    timeoutSeconds: z.number().int().min(10).max(3600).default(900),
  }),
  /** How the artifact is started, in its root; the port to listen on is in PORT. */
  start: z.string(),
  /** In the order of promotion. */
  environments: z.array(z.string()).default(["dev", "staging", "production"]),
});
export type Contract = z.infer<typeof Contract>;

const StageState = z.enum(["pending", "running", "passed", "failed", "skipped"]);
export const CiStage = z.object({
  name: z.enum(["checkout", "descriptor", "build", "test", "sbom", "package", "attest"]),
  state: StageState,
  command: z.string().nullable().default(null),
  seconds: z.number().nullable().default(null),
  detail: z.string().nullable().default(null),
});

export const TestTotals = z.object({ total: z.number(), failed: z.number(), skipped: z.number(), suites: z.array(z.string()).default([]) });

export const CiRun = z.object({
  id: z.string(),
  repository: z.string(),
  commit: z.string(),
  purpose: z.enum(["change", "merge"]),
  state: z.enum(["queued", "running", "passed", "failed"]),
  /** One sentence when it failed: which stage, and the last line it said. */
  because: z.string().nullable(),
  stages: z.array(CiStage),
  tests: TestTotals.nullable(),
  /** Of a passed run; of a merge also where it is the tests alone that failed. */
  artifact: z.object({ digest: z.string(), sizeBytes: z.number() }).nullable(),
  /** Digests of the evidence it filed. */
  evidence: z.array(z.string()),
  createdAt: z.coerce.date(),
  endedAt: z.coerce.date().nullable(),
});
export type CiRun = z.infer<typeof CiRun>;

export interface Ci {
  /**
   * Builds and tests a commit, and gives the ended run, passed or failed. The same id again gives the run that ended; one that was cut off by a crash starts anew, and its
   * leftovers are removed first. A failing build is a result, not a fault.
   */
  run(order: { id: string; repository: string; commit: string; purpose: "change" | "merge" }, signal?: AbortSignal): Promise<CiRun>;
}

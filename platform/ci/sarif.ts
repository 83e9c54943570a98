import { z } from "zod";

/** The type of a statement whose predicate is a SARIF document as it stands: the address of its schema. */
export const SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

const Properties = z.looseObject({ "security-severity": z.union([z.string(), z.number()]).optional() });
const Level = z.enum(["none", "note", "warning", "error"]);
const Rule = z.looseObject({
  id: z.string(),
  properties: Properties.optional(),
  defaultConfiguration: z.looseObject({ level: Level.optional() }).optional(),
});

/** SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), as far as it is read here. */
export const Sarif = z.looseObject({
  version: z.literal("2.1.0"),
  runs: z
    .array(
      z.looseObject({
        tool: z.looseObject({
          driver: z.looseObject({
            name: z.string(),
            version: z.string().optional(),
            semanticVersion: z.string().optional(),
            rules: z.array(Rule).optional(),
          }),
        }),
        invocations: z
          .array(z.looseObject({ executionSuccessful: z.boolean(), endTimeUtc: z.iso.datetime({ offset: true }).optional() }))
          .optional(),
        // A run that looked for something always has results, if only an empty list (section 3.14.23).
        results: z
          .array(
            z.looseObject({
              ruleId: z.string().optional(),
              ruleIndex: z.int().optional(),
              level: Level.optional(),
              kind: z.string().optional(),
              properties: Properties.optional(),
            }),
          )
          .nullish(),
      }),
    )
    .min(1),
});
export type Sarif = z.infer<typeof Sarif>;

/** Scores from which GitHub, and the scanners that follow it, speak of critical and high: CVSS v3.1, section 5. */
const CRITICAL = 9;
const HIGH = 7;

export interface Scan {
  result: "passed" | "warned" | "failed" | "unknown";
  summary: { scanner: string; version: string | null; findings: number; critical: number; high: number };
  /** When the scan ended; null where it does not say. */
  endedAt: Date | null;
}

/**
 * What a scan found. Failed: something critical; warned: something; unknown: a run that failed, or did not look. A finding that is an error and has no score counts as critical. What the scanner was told to keep
 * quiet about counts too.
 */
export function readSarif(sarif: Sarif): Scan {
  let [findings, critical, high] = [0, 0, 0];
  for (const run of sarif.runs) {
    const rules = run.tool.driver.rules ?? [];
    const byId = new Map(rules.map((rule) => [rule.id, rule]));
    for (const result of run.results ?? []) {
      if (result.kind === "pass" || result.kind === "notApplicable") continue;
      const rule = byId.get(result.ruleId ?? "") ?? rules[result.ruleIndex ?? -1];
      const score = Number(result.properties?.["security-severity"] ?? rule?.properties?.["security-severity"] ?? Number.NaN);
      const level = result.level ?? rule?.defaultConfiguration?.level ?? "warning";
      findings++;
      if (Number.isNaN(score) ? level === "error" : score >= CRITICAL) critical++;
      else if (score >= HIGH) high++;
    }
  }
  const complete = sarif.runs.every((run) => Array.isArray(run.results) && (run.invocations ?? []).every((one) => one.executionSuccessful));
  const ends = sarif.runs.flatMap((run) =>
    (run.invocations ?? []).flatMap(({ endTimeUtc }) => (endTimeUtc === undefined ? [] : Date.parse(endTimeUtc))),
  );
  const { name, version, semanticVersion } = sarif.runs[0]!.tool.driver;
  return {
    result: critical > 0 ? "failed" : !complete ? "unknown" : findings > 0 ? "warned" : "passed",
    summary: { scanner: name, version: version ?? semanticVersion ?? null, findings, critical, high },
    endedAt: ends.length > 0 ? new Date(Math.min(...ends)) : null,
  };
}

import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { z } from "zod";
import type { TestTotals } from "./contract.ts";
import { noTestReport } from "./faults.ts";

export type Totals = z.infer<typeof TestTotals> & { failures: string[] };

/** Suites and failed cases that are named, and bytes that are read, at most. */
const NAMED = 50;
export const MAX_REPORT_BYTES = 16 * 1024 * 1024;

/**
 * Counts the cases of a JUnit report; `failures` names those that failed. Counts come from the cases themselves, never from the sums in the attributes.
 * The text comes from the build, so it is hostile: a DOCTYPE is refused, entities are not expanded, nesting is bounded. Throws `ci.no_test_report`.
 */
export function readJunit(text: string, path: string): Totals {
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw noTestReport(path, "declares a DOCTYPE, which is refused");
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw noTestReport(path, `is not XML (line ${valid.err.line}: ${valid.err.msg})`);
  let root: Node;
  try {
    root = parser.parse(text) as Node;
  } catch (error) {
    throw noTestReport(path, `can't be read: ${(error as Error).message}`);
  }
  const suites = root.testsuites ?? root.testsuite;
  if (suites === undefined) throw noTestReport(path, "is not JUnit XML: its root is neither testsuites nor testsuite");
  const totals: Totals = { total: 0, failed: 0, skipped: 0, suites: [], failures: [] };
  const waiting: Node[] = nodes(suites).toReversed();
  for (let suite = waiting.pop(); suite !== undefined; suite = waiting.pop()) {
    const cases = nodes(suite.testcase);
    if (cases.length > 0 && suite["@name"] !== undefined && totals.suites.length < NAMED) totals.suites.push(nameOf(suite));
    for (const testcase of cases) {
      totals.total++;
      if (testcase.failure !== undefined || testcase.error !== undefined) {
        totals.failed++;
        if (totals.failures.length < NAMED) totals.failures.push(nameOf(testcase));
      } else if (testcase.skipped !== undefined) totals.skipped++;
    }
    waiting.push(...nodes(suite.testsuite).toReversed());
  }
  return totals;
}

interface Node {
  [name: string]: unknown;
}

const parser = new XMLParser({
  ignoreAttributes: (name) => name !== "name",
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  maxNestedTags: 50,
});

const nodes = (value: unknown): Node[] =>
  value === undefined
    ? []
    : (Array.isArray(value) ? value : [value]).map((one: unknown) => (typeof one === "object" && one !== null ? (one as Node) : {}));

const nameOf = (node: Node): string => (typeof node["@name"] === "string" ? node["@name"].slice(0, 200) : "unnamed");

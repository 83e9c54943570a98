import { Fault } from "../kernel/faults.ts";

const WHERE = "See docs: the platform contract, cairn.yaml.";

export const contractMissing = () =>
  new Fault(
    "invalid",
    "ci.contract_missing",
    "There is no cairn.yaml",
    "Add one in the root of the repository: it declares build, test and start commands.",
  );

/** Of cairn.yaml and the other descriptors: which line of which file is wrong. */
export const descriptorInvalid = (path: string, line: number | undefined, because: string) =>
  new Fault(
    "invalid",
    "ci.descriptor_invalid",
    `${path}${line === undefined ? "" : `:${line}`}: ${because}`,
    `Correct ${path} and push again. ${WHERE}`,
    {
      path,
      ...(line !== undefined && { line }),
    },
  );

export const noTestReport = (path: string, because: string) =>
  new Fault(
    "invalid",
    "ci.no_test_report",
    `No test report: ${path} ${because}`,
    "Let the test command write JUnit XML where ci.junit of cairn.yaml says.",
  );

export const sbomInvalid = (because: string) =>
  new Fault(
    "invalid",
    "ci.sbom_invalid",
    `The SBOM command did not print a CycloneDX document: ${because}`,
    "Let ci.sbom print CycloneDX JSON, and nothing else, on standard output.",
  );

export const notPackable = (path: string, because: string) =>
  new Fault(
    "invalid",
    "ci.not_packable",
    `${path} can't go into the artifact: ${because}`,
    "Correct ci.include in cairn.yaml, or what the build leaves at that path.",
  );

export const runMissing = (id: string) =>
  new Fault("not_found", "ci.run_missing", `There is no CI run ${id}`, "See GET /api/ci-runs for those there are.");

export const orderInvalid = (id: string) =>
  new Fault(
    "invalid",
    "ci.order_invalid",
    `${JSON.stringify(id)} can't be the id of a CI run`,
    "Use letters, digits, dots, hyphens and underscores, at most 120.",
  );

export const interrupted = (id: string) =>
  new Fault("unavailable", "ci.interrupted", `CI run ${id} was interrupted`, "Order it again with the same id: it starts anew.");

export const orderConflicts = (id: string) =>
  new Fault("conflict", "ci.order_conflicts", `CI run ${id} is of another commit`, "Give each order an id of its own.");

import { Fault } from "../kernel/faults.ts";
import { LATENCY_BOUNDS_SECONDS } from "../runtime/contract.ts";
import type { Release, ReleaseState } from "./model.ts";

export const environmentsBroken = (file: string, where: string, because: string) =>
  new Fault(
    "invalid",
    "releases.environments_broken",
    `${file}: ${where}: ${because}`,
    "Correct the file; library/environments/README.md describes it.",
  );

export const environmentUnknown = (name: string, known: readonly string[]) =>
  new Fault(
    "not_found",
    "releases.environment_unknown",
    `There is no environment ${name}`,
    `Use one of ${known.join(", ")}, or add it to environments.yaml.`,
  );

export const thresholdNotMeasured = (seconds: number) =>
  new Fault(
    "invalid",
    "releases.slow_threshold",
    `Requests slower than ${seconds} s can't be counted: the histogram has no such bound`,
    `Set the latency threshold of slo.yaml to one of ${LATENCY_BOUNDS_SECONDS.join(", ")} seconds.`,
  );

export const releaseMissing = (id: string) =>
  new Fault("not_found", "releases.missing", `There is no release ${id}`, "List releases with: cairn releases");

export const illegalTransition = (release: Release, to: ReleaseState) =>
  new Fault(
    "conflict",
    "releases.illegal_transition",
    `Release ${release.id} is ${release.state} and can't become ${to}`,
    "Look at the release: another process may have ended it.",
  );

export const releaseUnderWay = (service: string, environment: string, id: string) =>
  new Fault(
    "conflict",
    "releases.under_way",
    `Release ${id} of ${service} is still under way in ${environment}`,
    "Wait until it has ended, then begin this one.",
    { release: id },
  );

export const artifactQuarantined = (
  service: string,
  artifactDigest: string,
  { release, by, because }: { release: string | null; by: string; because: string },
) =>
  new Fault(
    "precondition",
    "releases.quarantined",
    `Artifact ${artifactDigest} of ${service} is quarantined: ${release === null ? `${by} barred it` : `release ${release} rolled it back`}: ${because}`,
    "Fix the cause and deliver a new commit: it gives another artifact. Where the quarantine itself is wrong: cairn quarantine lift.",
    { release, artifactDigest },
  );

export const notQuarantined = (artifactDigest: string) =>
  new Fault(
    "not_found",
    "releases.not_quarantined",
    `Artifact ${artifactDigest} is not quarantined`,
    "List what is: cairn quarantine list",
  );

export const windowNameTaken = (name: string) =>
  new Fault(
    "conflict",
    "releases.window_name_taken",
    `There is a window or freeze ${name} already`,
    "Give it another name, or end that one: cairn windows lists them.",
  );

export const windowsUnreadable = (because: string) =>
  new Fault(
    "invalid",
    "releases.windows_unreadable",
    `The windows are no YAML: ${because}`,
    "Correct the file; library/environments/README.md shows one.",
  );

export const windowsTwice = (name: string) =>
  new Fault("invalid", "releases.windows_twice", `${name} stands there twice`, "Give each window and freeze a name of its own.", { name });

export const freezeOver = (until: Date) =>
  new Fault("invalid", "releases.freeze_over", `${until.toISOString()} is past already`, "Say an end that is to come.");

export const freezeMissing = (id: string) =>
  new Fault("not_found", "releases.freeze_missing", `No freeze ${id} is declared`, "List them: cairn windows");

export const freezeOfOrganisation = (name: string) =>
  new Fault(
    "conflict",
    "releases.freeze_of_organisation",
    `Freeze ${name} was loaded with the organisation's windows`,
    "Take it out of their file and load that again: cairn windows load FILE",
  );

export const notUnderWay = (release: Release) =>
  new Fault(
    "conflict",
    "releases.not_under_way",
    `Release ${release.id} is ${release.state.replace("_", " ")}, not under way`,
    "Only a release that is being rolled out or held can be answered. To leave what serves now, deliver another commit.",
  );

export const notHeld = (release: Release) =>
  new Fault(
    "conflict",
    "releases.not_held",
    `Release ${release.id} is not held`,
    "It goes on by itself: /releases shows what would end its present step.",
  );

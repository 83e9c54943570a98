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

export const artifactQuarantined = (service: string, artifactDigest: string, release: string) =>
  new Fault(
    "precondition",
    "releases.quarantined",
    `Artifact ${artifactDigest} of ${service} was rolled back by release ${release} and is quarantined`,
    "Fix the cause and deliver a new commit: it gives another artifact.",
    { release, artifactDigest },
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

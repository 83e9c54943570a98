import { Fault } from "../kernel/faults.ts";

export const answerMissing = (goldenPath: string, name: string) =>
  new Fault(
    "invalid",
    "workflows.answer_missing",
    `The golden path ${goldenPath} has no answer for ${name}`,
    `A path that makes a service asks for service_name and owner_team: answer ${name}.`,
    {
      parameter: name,
    },
  );

export const generatedBroken = (goldenPath: string, problems: readonly { file: string; message: string }[]) =>
  new Fault(
    "failed",
    "workflows.generated_broken",
    `What the golden path ${goldenPath} generates does not hold: ${problems.map(({ file, message }) => `${file} ${message}`).join("; ")}`,
    "Nothing was changed. This is a defect of the golden path: tell who publishes it.",
    { problems },
  );

export const nameTaken = (name: string, holder: string) =>
  new Fault("conflict", "workflows.name_taken", `The name ${name} is taken: ${holder}`, "Choose another name.", {
    parameter: "service_name",
  });

export const buildFailed = (because: string, run: string) =>
  new Fault("failed", "workflows.build_failed", `CI failed: ${because}`, `Its log: /ci-runs/${run}. Mend it by another change request.`, {
    ciRun: run,
  });

export const descriptorUnusable = (problems: readonly { file: string; message: string }[]) =>
  new Fault(
    "failed",
    "workflows.descriptor_unusable",
    `The default branch can't be delivered: ${problems.map(({ file, message }) => `${file} ${message}`).join("; ")}`,
    "Nothing was released. Mend the named files by another change request.",
    { problems },
  );

export const releaseRefused = (environment: string, reasons: readonly string[], release: string) =>
  new Fault(
    "failed",
    "workflows.release_refused",
    `Policy denies the release to ${environment}: ${reasons.join("; ")}`,
    `What ran before goes on. Each rule says how to meet it: /releases/${release}`,
    { release },
  );

export const secretsMissing = (service: string, environment: string, names: readonly string[], release: string) =>
  new Fault(
    "failed",
    "workflows.secrets_missing",
    `The release to ${environment} needs ${names.length === 1 ? "the secret" : "the secrets"} ${names.join(", ")}, which nobody has set there`,
    `What ran before goes on. cairn secrets set ${service} ${names[0]} --environment ${environment}; then cairn deliver ${service}`,
    { release, secrets: names },
  );

export const nothingMerged = (service: string) =>
  new Fault(
    "precondition",
    "workflows.nothing_merged",
    `Nothing of ${service} was merged by the platform yet, so there is nothing to deliver again`,
    "Merge a change request: that delivers it.",
    { service },
  );

export const releaseEnded = (environment: string, because: string, release: string) =>
  new Fault(
    "failed",
    "workflows.release_rolled_back",
    `The release to ${environment} rolled back: ${because}`,
    `What ran before serves all traffic. The evidence: cairn release ${release}`,
    {
      release,
    },
  );

export const artifactMissing = (digest: string) =>
  new Fault("failed", "workflows.artifact_missing", `No artifact ${digest} is filed`, "Run CI again for this commit.");

export const artifactForgotten = (digest: string, at: Date) =>
  new Fault(
    "conflict",
    "workflows.artifact_forgotten",
    `The bytes of ${digest} were removed on ${at.toISOString().slice(0, 10)}: no late release had them`,
    "Have it built again: revert to that commit by a change request.",
  );

export const releaseNotAllowed = (release: string, decision: string | undefined) =>
  new Fault(
    "forbidden",
    "workflows.release_not_allowed",
    `Release ${release} may not start: ${decision === undefined ? "no decision let it" : `decision ${decision} denied it`}`,
    "Nothing was started. The release's decision says which rule, and who may grant an exception.",
    { release },
  );

export const serviceNeeded = (service: string, by: readonly string[]) =>
  new Fault(
    "conflict",
    "workflows.service_needed",
    `${service} is needed by ${by.join(", ")}`,
    "Take the dependency out of their catalog-info.yaml first (or DELETE it, where it was declared by hand), then plan again.",
    { service, by },
  );

export const serviceBusy = (service: string, run: string) =>
  new Fault(
    "conflict",
    "workflows.service_busy",
    `${run} of ${service} is under way`,
    `Wait for its end: cairn runs show ${run} --watch. Then plan again.`,
    { service, run },
  );

export const carriedOutByDelivery = (plan: string) =>
  new Fault(
    "conflict",
    "workflows.carried_out_by_delivery",
    `Plan ${plan} is a release's: the delivery that made it carries it out`,
    "cairn releases shows where it stands; cairn why RELEASE says what it waits for.",
    { plan },
  );

export const changeEnded = (repository: string, number: number, state: string) =>
  new Fault(
    "conflict",
    "workflows.change_ended",
    `Change request ${repository}/${number} is ${state}`,
    "Open another for its branch, and that is checked.",
    {
      repository,
      number,
    },
  );

export const nothingToExplain = (subject: string) =>
  new Fault(
    "not_found",
    "workflows.nothing_to_explain",
    `Nothing is known by the name ${JSON.stringify(subject.slice(0, 100))}`,
    "Name a release, plan, decision, run, CI run, break-glass or incident by its id, a change request as orders/2, or a service.",
  );

export const nothingToGoBackTo = (service: string, environment: string) =>
  new Fault(
    "conflict",
    "workflows.nothing_to_go_back_to",
    `Nothing else of ${service} has served in ${environment} that may run again`,
    `cairn releases ${service} -e ${environment} lists what was released; mend it by a new commit.`,
    { service, environment },
  );

export const wrongWayBack = (release: string, service: string, environment: string) =>
  new Fault(
    "conflict",
    "workflows.wrong_way_back",
    `${release} is no release of ${service} to ${environment} that was promoted before the one that serves`,
    `cairn releases ${service} -e ${environment} lists those that were.`,
    { release },
  );

export const releaseNotDecided = (release: string) =>
  new Fault(
    "precondition",
    "workflows.release_not_decided",
    `No decision let ${release} on, so there is nothing to show`,
    "Export a release that was begun: cairn releases lists them.",
  );

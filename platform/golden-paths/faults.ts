import { Fault } from "../kernel/faults.ts";

const EDIT = "Correct the template in library/golden-paths.";

export const unknownGoldenPath = (name: string, known: readonly string[]) =>
  new Fault(
    "not_found",
    "golden_paths.unknown",
    `There is no golden path ${name}`,
    known.length > 0 ? `There are: ${known.join(", ")}.` : "None is offered: look into library/golden-paths.",
  );

export const answerRefused = (parameter: string, why: string, allowed: string) =>
  new Fault("invalid", "golden_paths.answer_refused", `${parameter}: ${why}`, allowed, { parameter });

export const templateInvalid = (folder: string, why: string) =>
  new Fault("failed", "golden_paths.template_invalid", `${folder}: ${why}`, EDIT);

export const sourceMissing = (template: string, source: string) =>
  new Fault(
    "failed",
    "golden_paths.source_missing",
    `Golden path ${template} has no ${source}`,
    `${EDIT} A source that is a folder ends in a slash.`,
  );

export const pathRefused = (path: string, why: string) =>
  new Fault("invalid", "golden_paths.path_refused", `The path ${JSON.stringify(path)} ${why}`, EDIT, { path });

export const pathTaken = (path: string, other: string) =>
  new Fault(
    "invalid",
    "golden_paths.path_taken",
    `Two outputs write ${path}${other === path ? "" : ` (the other one as ${other})`}`,
    `${EDIT} Each path is written once.`,
    { path },
  );

export const renderFailed = (where: string, why: string) =>
  new Fault("failed", "golden_paths.render_failed", `${where}: ${why}`, EDIT, { where });

export const renderTooLarge = (where: string, limit: string) =>
  new Fault(
    "too_large",
    "golden_paths.render_too_large",
    `${where} needs more than ${limit}`,
    `${EDIT} What is generated is text for people: it stays small.`,
    { where },
  );

export const cacheNotWarmed = (name: string, detail: string) =>
  new Fault(
    "unavailable",
    "golden_paths.cache_not_warmed",
    `npm could not fetch the dependencies of golden path ${name}: ${detail}`,
    "Check the network and the registry settings of npm, then run the set-up again.",
  );

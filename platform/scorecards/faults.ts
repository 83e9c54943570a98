import { Fault } from "../kernel/faults.ts";

export const scorecardBroken = (where: string, because: string) =>
  new Fault(
    "invalid",
    "scorecards.broken",
    `library/scorecards/service.yaml: ${where}: ${because}`,
    "Correct the rule; the file's head says what it may ask.",
  );

export const spanInvalid = (days: string) =>
  new Fault("invalid", "scorecards.span", `${days} is no span of time to look at`, "Name `from` before `to`, at most 366 days apart.");

export const pointUnknown = (point: string, points: readonly string[]) =>
  new Fault("invalid", "scorecards.point_unknown", `No scorecard has a point ${point}`, `Name one of ${points.join(", ")}.`);

import { Fault } from "../kernel/faults.ts";

export const incidentMissing = (id: string) =>
  new Fault("not_found", "incidents.missing", `There is no incident ${id}`, "List them: cairn incidents --state all");

export const alreadyResolved = (id: string, by: string, at: Date) =>
  new Fault(
    "conflict",
    "incidents.resolved",
    `Incident ${id} is over: ${by} resolved it at ${at.toISOString()}`,
    "If it is back, open another one: cairn incidents open SERVICE -t TITLE",
  );

export const alreadyAcknowledged = (id: string, by: string) =>
  new Fault(
    "conflict",
    "incidents.acknowledged",
    `${by} has acknowledged incident ${id} already`,
    `Add what you know: cairn incidents note ${id} TEXT`,
  );

export const notResolved = (id: string) =>
  new Fault(
    "precondition",
    "incidents.not_resolved",
    `Incident ${id} is not over`,
    `A review is drafted once it is resolved: cairn incidents resolve ${id} -b WHAT_ENDED_IT`,
  );

export const reviewDone = (id: string, change: string) =>
  new Fault(
    "conflict",
    "incidents.review_done",
    `The review of incident ${id} was merged with ${change}`,
    "Correct it by another change request.",
  );

export const noRepository = (id: string, service: string | null) =>
  new Fault(
    "precondition",
    "incidents.no_repository",
    service === null ? `Incident ${id} is of no service that the catalog knows` : `The platform holds no repository of ${service}`,
    "A review lies in the docs/ of the service's repository; write it where its documents are.",
  );

export const groupUnknown = (group: string) =>
  new Fault("not_found", "incidents.group_unknown", `There is no team ${group}`, "List them: cairn org teams");

export const environmentUnknown = (name: string, known: readonly string[]) =>
  new Fault(
    "not_found",
    "incidents.environment_unknown",
    `There is no environment ${name}`,
    `Name one of ${known.join(", ")}, or leave it out.`,
  );

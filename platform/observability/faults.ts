import { Fault } from "../kernel/faults.ts";

export const rangeInvalid = (because: string) =>
  new Fault("invalid", "observability.range", because, "Give `from` before `to`, at most 400 days apart, both as ISO 8601 instants.");

export const telemetryBroken = (because: string) =>
  new Fault(
    "unavailable",
    "observability.telemetry_broken",
    `The runtime's counters can't be read: ${because}`,
    "Look at the agent with: cairn status",
  );

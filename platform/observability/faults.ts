import { Fault } from "../kernel/faults.ts";

export const rangeInvalid = (because: string) =>
  new Fault("invalid", "observability.range", because, "Give `from` before `to`, at most 400 days apart, both as ISO 8601 instants.");

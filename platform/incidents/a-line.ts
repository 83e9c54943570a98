import type { RecordedEvent } from "../ledger/model.ts";

/** A line of the ledger, for tests. */
export const aLine = (over: Partial<RecordedEvent> = {}): RecordedEvent => ({
  seq: 1,
  at: new Date("2026-03-01T11:50:00.000Z"),
  type: "releases.promoted",
  about: "component:default/orders",
  actor: "user:default/ada",
  data: {},
  previousHash: "",
  hash: "sha256:0",
  ...over,
});

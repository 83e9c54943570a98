import type { ForgeEvents } from "../forge/contract.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import { answerIncident, followIncident, INCIDENT_EVENTS } from "./answer-incident.ts";
import { AUDITED_EVENTS, auditRuntime, startAudit } from "./audit-runtime.ts";
import { breakGlass } from "./break-glass.ts";
import { checkRelieved, RELIEVING_EVENTS } from "./check-again.ts";
import { checkChange, factsAt } from "./check-change.ts";
import { createService } from "./create-service.ts";
import { decommissionService } from "./decommission-service.ts";
import { deliverCommit } from "./deliver-commit.ts";
import { WAKING_EVENTS, wakeAtGates } from "./gate.ts";
import { ALERT_EVENTS, takeAlert } from "./incident-desk.ts";
import type { Parts } from "./parts.ts";
import { route } from "./plan-service.ts";
import { rollOut } from "./roll-out.ts";

/** Every workflow that the platform can run, or resume. */
export const allWorkflows = [
  createService,
  checkChange,
  deliverCommit,
  rollOut,
  breakGlass,
  decommissionService,
  auditRuntime,
  answerIncident,
];

/** The ledger events that begin a workflow, or wake one that waits. */
export const STARTING_EVENTS = [
  "forge.change_opened",
  "forge.change_updated",
  "forge.change_merged",
  ...AUDITED_EVENTS,
  ...WAKING_EVENTS,
  ...RELIEVING_EVENTS,
  ...ALERT_EVENTS,
  ...INCIDENT_EVENTS,
] as const;

/** Begins or wakes what follows from an event. The run's id is made of the event's facts: the same event twice is one run. */
export async function startWhatFollows(parts: Parts, orchestrator: Orchestrator, event: RecordedEvent): Promise<void> {
  if ((WAKING_EVENTS as readonly string[]).includes(event.type)) await wakeAtGates(parts, orchestrator, event);
  if ((RELIEVING_EVENTS as readonly string[]).includes(event.type)) await checkRelieved(parts, orchestrator, event);
  if ((AUDITED_EVENTS as readonly string[]).includes(event.type)) await startAudit(parts, orchestrator, event);
  if ((ALERT_EVENTS as readonly string[]).includes(event.type)) await takeAlert(parts, event);
  if ((INCIDENT_EVENTS as readonly string[]).includes(event.type)) await followIncident(orchestrator, event);
  if (event.type === "forge.change_merged") {
    const { repository, number, commit } = event.data as ForgeEvents["forge.change_merged"];
    const environments = route(parts, await factsAt(parts, repository, commit)).map(({ name }) => name);
    const about = { id: `deliver-${repository}-${commit.slice(0, 12)}`, about: `component:default/${repository}`, startedBy: event.actor };
    await orchestrator.start(deliverCommit, { repository, number, commit, environments }, about);
    return;
  }
  if (event.type !== "forge.change_opened" && event.type !== "forge.change_updated") return;
  const { repository, number, head } = event.data as ForgeEvents["forge.change_opened"];
  const about = {
    id: `check-${repository}-${number}-${head.slice(0, 12)}`,
    about: `change:${repository}/${number}`,
    startedBy: event.actor,
  };
  await orchestrator.start(checkChange, { repository, number, head }, about);
}

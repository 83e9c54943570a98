import { pageAt, stepsOf } from "../incidents/escalation.ts";
import { BY_ITSELF, findIncident, incidentRef, notePage, reopen, REOPENS_WITHIN_MINUTES } from "../incidents/store.ts";
import { isFault } from "../kernel/faults.ts";
import type { Tx } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { ADMINISTRATORS } from "../notifications/model.ts";
import { workflow, type Orchestrator } from "../orchestrator/contract.ts";
import { answerersOf } from "./on-call.ts";
import type { Parts } from "./parts.ts";

/** How an incident stands for the run that answers it. `told`: somebody was told just now. `quiet`: nobody is left to be told. */
type Stands =
  | { kind: "told"; audience: string[]; seconds: number | null }
  | { kind: "quiet" | "acknowledged" | "anew" }
  | { kind: "over"; mayFire: boolean };

type AnswerParts = Pick<Parts, "db" | "clock">;

/**
 * Tells whoever is on call, and where nobody acknowledges within their time the next, until nobody is left to be told; then waits for the end. Who is on call and
 * who is in the group it asks at each telling. One that a person called over while its alerts still fire opens again where they do not end.
 */
export const answerIncident = workflow(
  "answer incident",
  () => ["tell who is on call", "until it is acknowledged", "tell the next", "until it is over", "see how it stands"],
  async (run, { id, round }: { id: string; round: number }, parts: AnswerParts): Promise<{ ended: string }> => {
    // Who was told was told: nothing of it is taken back, and what fails is tried again.
    await run.commit();
    let stands = await run.transaction("tell who is on call", (tx) => tell(tx, parts, id, round, "first"));
    while (stands.kind === "told") {
      const { audience, seconds } = stands;
      const waitsFor = `${audience.join(", ")} to acknowledge it: cairn incidents ack ${id}`;
      await run.waitFor("until it is acknowledged", { topic: NEWS, waitsFor, ...(seconds !== null && { timeoutSeconds: seconds }) });
      stands = await run.transaction("tell the next", (tx) => tell(tx, parts, id, round, "next"));
    }
    while (stands.kind === "quiet" || stands.kind === "acknowledged") {
      await run.waitFor("until it is over", {
        topic: NEWS,
        waitsFor: `its end: that of its alerts, or cairn incidents resolve ${id} -b REASON`,
      });
      stands = await run.transaction("see how it stands", (tx) => standing(tx, id, round));
    }
    if (stands.kind === "anew") return { ended: "another run answers it" };
    if (stands.kind !== "over" || !stands.mayFire) return { ended: "it is over" };
    await run.waitFor("until its alerts end", {
      topic: NEWS,
      waitsFor: "the end of its alerts",
      timeoutSeconds: REOPENS_WITHIN_MINUTES * 60,
    });
    const because = `its alerts still fire ${REOPENS_WITHIN_MINUTES} minutes after it was called over`;
    const again = await run.transaction("see whether its alerts still fire", async (tx) =>
      (await standing(tx, id, round)).kind === "over"
        ? (await reopen(tx, parts.clock, "system:incidents", id, because)) !== undefined
        : true,
    );
    return { ended: again ? "another run answers it" : "it is over" };
  },
);

const NEWS = "news";
const runOf = (id: string, round: number): string => `incident-${id.replace("_", "-")}-${round}`;

/** The ledger events by which an incident's run begins, or hears that something changed. */
export const INCIDENT_EVENTS = [
  "incidents.opened",
  "incidents.reopened",
  "incidents.alert_fired",
  "incidents.acknowledged",
  "incidents.resolved",
  "incidents.alert_ended",
] as const;

/** Begins the run that answers an incident where it opened, and tells it what happened since. The same event twice is one run, and one message. */
export async function followIncident(orchestrator: Orchestrator, { type, data, seq, actor }: RecordedEvent): Promise<void> {
  const { incident: id, round, raised } = data as { incident: string; round: number; raised?: boolean };
  const begins = type === "incidents.opened" || type === "incidents.reopened" || raised === true;
  if (!begins && type === "incidents.alert_fired") return;
  const news = (to: number) =>
    orchestrator.send(runOf(id, to), NEWS, type, { key: `${NEWS} ${seq}` }).catch((error: unknown) => {
      if (!isFault(error) || error.kind !== "not_found") throw error; // one that was forgotten long ago hears nothing
    });
  if (!begins) return news(round);
  if (round > 1) await news(round - 1);
  await orchestrator.start(answerIncident, { id, round }, { id: runOf(id, round), about: incidentRef(id), startedBy: actor });
}

/**
 * Tells whoever is on call, or the next where the time of those who were told is over, by who is on call and in the group now. Where it is not open any more, it
 * says how it stands.
 */
async function tell(tx: Tx, { clock }: AnswerParts, id: string, round: number, which: "first" | "next"): Promise<Stands> {
  const stands = await standing(tx, id, round);
  if (stands.kind !== "quiet") return stands;
  const incident = await findIncident(tx, id, "lock");
  const { level, told, nextAt } = incident.escalation;
  const now = clock.now();
  if (which === "next" && nextAt !== null && now < nextAt)
    return { kind: "told", audience: told, seconds: Math.ceil((nextAt.getTime() - now.getTime()) / 1000) };
  const { group, rotation, members, tier } = await answerersOf(tx, incident.service);
  const steps = stepsOf(rotation, tier, incident.severity);
  const page = pageAt(which === "first" ? 0 : level + 1, { group, rotation, members, steps, told, administrators: ADMINISTRATORS, now });
  if (!page || !(await notePage(tx, clock, id, round, page))) return stands;
  return { kind: "told", audience: page.audience, seconds: page.seconds };
}

/** `quiet` where it is open: nobody was told by this. */
async function standing(tx: Tx, id: string, round: number): Promise<Stands> {
  const incident = await findIncident(tx, id);
  if (incident.round !== round) return { kind: "anew" };
  if (incident.state === "acknowledged") return { kind: "acknowledged" };
  if (!incident.resolved) return { kind: "quiet" };
  // One that began before a person called it over may fire after.
  return { kind: "over", mayFire: incident.source !== "person" && incident.resolved.by !== BY_ITSELF };
}

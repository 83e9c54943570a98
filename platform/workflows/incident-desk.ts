import { removeRotation } from "../catalog/organisation.ts";
import { rotations } from "../catalog/rotations.ts";
import { serviceRef } from "../catalog/store.ts";
import { serviceView } from "../catalog/views.ts";
import { groupRef } from "../identity/access.ts";
import { received } from "../incidents/alertmanager.ts";
import { noRepository } from "../incidents/faults.ts";
import type { Incident } from "../incidents/model.ts";
import { onCallAt } from "../incidents/on-call.ts";
import { reviewBranch, reviewDraft, reviewPath, type Impact } from "../incidents/review.ts";
import type { IncidentDesk, IncidentShown } from "../incidents/routes.ts";
import {
  acknowledge,
  BY_ITSELF,
  endAlert,
  eventsBeside,
  eventsOf,
  findIncident,
  fire,
  incidents,
  keyOf,
  noteReview,
  noteReviewChange,
  openIncident,
  resolve,
  reviewable,
  type FiringAlert,
} from "../incidents/store.ts";
import { timelineOf } from "../incidents/timeline.ts";
import { isFault } from "../kernel/faults.ts";
import { TreeFile } from "../kernel/file-tree.ts";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db, type Sql } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { trafficSteps } from "../observability/store.ts";
import { releases } from "../releases/store.ts";
import { authorOf } from "./create-service.ts";
import { suspectsFor } from "./incident-suspects.ts";
import { answerersOf, missing, onCallOf } from "./on-call.ts";
import type { Parts } from "./parts.ts";

type DeskParts = Pick<Parts, "db" | "clock" | "forge" | "publicUrl"> & { servicesOf: (team: string) => Promise<string[]> };

/** The ledger events by which the platform's own alerts, and what becomes of drafts, are heard of. */
export const ALERT_EVENTS = [
  "observability.alert_firing",
  "observability.alert_resolved",
  "forge.change_merged",
  "forge.change_closed",
  "catalog.entity_removed",
] as const;

/** Opens, joins and ends incidents as the platform's own alerts fire and end; notes what became of the draft of a review. The same event twice changes nothing more. */
export async function takeAlert({ db, clock }: Pick<Parts, "db" | "clock">, event: RecordedEvent): Promise<void> {
  if (event.type === "forge.change_merged" || event.type === "forge.change_closed") {
    const { repository, number } = event.data as { repository: string; number: number };
    const became = event.type === "forge.change_merged" ? "merged" : "closed";
    return transact(db, (tx) => noteReviewChange(tx, clock, event.actor, `${repository}/${number}`, became));
  }
  if (event.type === "catalog.entity_removed") return endOfDeleted(db, clock, event.about);
  const alert = alertOf(event);
  if (event.type === "observability.alert_firing") await transact(db, (tx) => fire(tx, clock, "system:observability", alert));
  else if (event.data.fired === true) {
    const { fingerprint, startsAt } = alert;
    await transact(db, (tx) => endAlert(tx, clock, "system:observability", { key: keyOf(alert), fingerprint, startsAt }));
  }
}

/** What is deleted is wrong no more. */
async function endOfDeleted(db: Db, clock: Clock, ref: string): Promise<void> {
  if (!ref.startsWith(serviceRef(""))) return;
  const { items } = await incidents(db, { services: [ref.slice(serviceRef("").length)], state: "active", limit: 200 });
  for (const { id } of items)
    await transact(db, (tx) => resolve(tx, clock, BY_ITSELF, id, "the service was deleted")).catch((error: unknown) => {
      if (!isFault(error) || error.code !== "incidents.resolved") throw error; // somebody was faster
    });
}

/** What the ledger says of one of the platform's own alerts. */
function alertOf({ data }: RecordedEvent): FiringAlert {
  const { service, environment, slo, rule, severity, because, pendingAt, title } = data as Record<string, string>;
  const burns = slo === "telemetry" ? "its counters can't be read" : `${title || slo}: the error budget burns too fast`;
  return {
    source: "slo",
    service: service ?? null,
    environment: environment ?? null,
    alert: slo ?? "",
    fingerprint: `slo/${service}/${environment}/${slo}/${rule}`,
    startsAt: new Date(pendingAt ?? 0),
    name: `${slo} ${rule}`,
    severity: severity === "ticket" ? "ticket" : "page",
    title: `${service} in ${environment}: ${burns}`,
    because: because ?? "",
    link: null,
  };
}

/** What stands behind the routes of incidents. */
export const incidentDesk = (parts: DeskParts): IncidentDesk => {
  const { db, clock, forge } = parts;

  const shown = async (found: readonly Incident[]): Promise<IncidentShown[]> => {
    const owners = new Map<string, string | null>();
    for (const name of new Set(found.flatMap(({ service }) => service ?? []))) owners.set(name, await ownerOf(db, name));
    return found.map((incident) => ({ ...incident, owner: incident.service === null ? null : (owners.get(incident.service) ?? null) }));
  };

  return {
    async open(order, by) {
      await serviceView(db, order.service);
      return transact(db, (tx) => openIncident(tx, clock, by.ref, order));
    },

    async receive(message, by) {
      const known = await servicesAmong(
        db,
        message.alerts.flatMap(({ labels }) => Object.values(labels)),
      );
      const taken = [];
      let unknown = 0;
      for (const alert of received(message, (name) => known.has(name))) {
        const { alert: name, service, key, fingerprint, startsAt } = alert;
        if (alert.status === "firing") {
          const { incident, what } = await transact(db, (tx) => fire(tx, clock, by.ref, alert));
          taken.push({ id: incident.id, what, alert: name, service });
          continue;
        }
        const ended = await transact(db, (tx) => endAlert(tx, clock, by.ref, { key, fingerprint, startsAt }));
        if (ended)
          taken.push({ id: ended.id, what: ended.state === "resolved" ? ("resolved" as const) : ("ended" as const), alert: name, service });
        else unknown += 1;
      }
      return { incidents: taken, unknown };
    },

    acknowledge: (id, by) => transact(db, (tx) => acknowledge(tx, clock, by.ref, id)),
    resolve: (id, because, by) => transact(db, (tx) => resolve(tx, clock, by.ref, id, because)),

    async draftReview(id, by) {
      const incident = await findIncident(db, id);
      const path = reviewPath(incident);
      if (incident.review.state === "drafted" && incident.review.change !== null) return { change: incident.review.change, path, incident };
      reviewable(incident);
      const repository = incident.service === null ? undefined : (await serviceView(db, incident.service).catch(missing))?.repository;
      if (repository === undefined) throw noRepository(id, incident.service);
      const title = `Review of the incident: ${incident.title}`;
      const content = reviewDraft({
        incident,
        timeline: await timeline(db, incident, clock.now()),
        suspects: await suspectsFor(db, incident),
        impact: await impactOf(db, incident),
        served: await servedDuring(db, incident),
        portal: parts.publicUrl,
      });
      const branch = reviewBranch(incident);
      const files = [TreeFile.parse({ path, content })];
      // A draft that was begun before, and perhaps edited since, stays as it is.
      await forge
        .createBranch({ repository, branch, files, message: title, author: authorOf(by.ref), at: clock.now(), keepOthers: true })
        .catch((error: unknown) => {
          if (!isFault(error) || error.code !== "forge.branch_exists") throw error;
        });
      const description = `Drafted from what the platform recorded of ${parts.publicUrl}/incidents/${id}. Fill in what only people know, then merge.\n\nMerging it delivers the default branch as it is then: where you went back to an older release, put right what caused it first, or here.`;
      const { number } = await forge.openChange({ repository, branch, title, description, author: by.ref });
      const change = `${repository}/${number}`;
      return { change, path, incident: await transact(db, (tx) => noteReview(tx, clock, by.ref, id, change)) };
    },

    shown,
    async detail(incident) {
      const { group, rotation, members } = await answerersOf(db, incident.service);
      const [known] = await shown([incident]);
      return {
        ...known!,
        onCall: group === undefined ? null : onCallAt(group, rotation, members, clock.now()),
        suspects: await suspectsFor(db, incident),
        timeline: await timeline(db, incident, clock.now()),
      };
    },

    onCall: (of) => onCallOf(db, of, clock.now()),
    rotations: () => rotations(db),
    removeRotation: (name, by) => transact(db, (tx) => removeRotation(tx, clock, by.ref, name)),
    servicesOf: parts.servicesOf,

    async subjectOf(incident, caller) {
      const { group, rotation, members } = await answerersOf(db, incident.service);
      const owner = incident.service === null ? null : await ownerOf(db, incident.service);
      const people = group === undefined ? [] : onCallAt(group, rotation, members, clock.now()).people;
      return { name: `incident ${incident.id}`, ...(owner !== null && { owner }), onCall: people.includes(caller.ref) };
    },
  };
};

async function timeline(db: Sql, incident: Incident, now: Date) {
  const own = await eventsOf(db, incident.id);
  const until = incident.resolved?.at ?? now;
  const beside = incident.service === null ? [] : await eventsBeside(db, serviceRef(incident.service), incident.beganAt, until);
  const here = beside.filter(
    ({ data }) => incident.environment === null || data.environment === undefined || data.environment === incident.environment,
  );
  return timelineOf([...own, ...here]);
}

/** What the proxy counted from its beginning to its end; null where nobody knows where to look. */
async function impactOf(db: Sql, incident: Incident): Promise<Impact | null> {
  const { service, environment, beganAt, resolved } = incident;
  if (service === null || environment === null || !resolved) return null;
  const from = new Date(Math.floor(beganAt.getTime() / 60_000) * 60_000);
  const until = new Date(Math.ceil(resolved.at.getTime() / 60_000) * 60_000);
  const steps = await trafficSteps(db, { service, environment }, { from, to: until, stepSeconds: 60 });
  const sum = (of: "requests" | "errors") => steps.reduce((total, step) => total + step[of], 0);
  return { requests: sum("requests"), errors: sum("errors"), from, until };
}

async function servedDuring(db: Sql, incident: Incident): Promise<string[]> {
  const { service, environment, beganAt, resolved } = incident;
  if (service === null) return [];
  const all = await releases(db, { service, ...(environment !== null && { environment }), limit: 200 });
  const promoted = all.filter(({ state, endedAt }) => state === "promoted" && endedAt !== null && endedAt <= (resolved?.at ?? endedAt));
  const during = promoted.filter(({ endedAt }) => endedAt! > beganAt);
  const before = promoted.find(({ endedAt }) => endedAt! <= beganAt);
  return [
    ...(before ? [`When it began: release ${before.id}, commit ${before.commit.slice(0, 12)}, in ${before.environment}.`] : []),
    ...during
      .toReversed()
      .map((one) => `From ${one.endedAt!.toISOString()}: release ${one.id}, commit ${one.commit.slice(0, 12)}, in ${one.environment}.`),
  ];
}

/** Which of the names are services of the catalog. */
async function servicesAmong(db: Sql, names: readonly string[]): Promise<Set<string>> {
  const refs = [...new Set(names.map((name) => serviceRef(name)))];
  if (refs.length === 0) return new Set();
  const rows = await db.selectFrom("catalog_entity").select("name").where("kind", "=", "component").where("ref", "in", refs).execute();
  return new Set(rows.map(({ name }) => name));
}

async function ownerOf(db: Sql, service: string): Promise<string | null> {
  const view = await serviceView(db, service).catch(missing);
  return view?.ownerExists ? groupRef(view.owner) : null;
}

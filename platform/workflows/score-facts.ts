import { membersOf, serviceView } from "../catalog/views.ts";
import { evidenceFacts } from "../evidence/facts.ts";
import { evidenceFor } from "../evidence/store.ts";
import type { Incident } from "../incidents/model.ts";
import { onCallAt } from "../incidents/on-call.ts";
import { incidents } from "../incidents/store.ts";
import { isFault } from "../kernel/faults.ts";
import type { Sql } from "../kernel/sql.ts";
import type { SloReport } from "../observability/model.ts";
import { currentRelease } from "../releases/store.ts";
import type { ScoreFacts } from "../scorecards/model.ts";
import { deployments } from "../scorecards/store.ts";
import { groupRef } from "../identity/access.ts";
import { answerersOf } from "./on-call.ts";
import type { Parts } from "./parts.ts";
import { ALERT_ROUTE, routesAlerts } from "./read-repository.ts";

const DAY_SECONDS = 86_400;

/** All that a scorecard asks of a service, as it is known now. Throws `catalog.service_not_found`. */
export async function scoreFacts(
  parts: Pick<Parts, "db" | "clock" | "forge"> & {
    /** The environments that count as production, in the order of promotion. */
    production: readonly string[];
    sloReport: (service: string, environment: string) => Promise<SloReport>;
  },
  name: string,
): Promise<ScoreFacts> {
  const { db, clock, forge, production } = parts;
  const now = clock.now();
  const service = await serviceView(db, name);
  const last = production.at(-1);
  const members = service.ownerExists ? await membersOf(db, groupRef(service.owner)) : undefined;
  const serving = last ? await currentRelease(db, name, last) : undefined;
  const evidence = serving
    ? evidenceFacts(await evidenceFor(db, serving.artifactDigest), now, { repository: service.repository ?? name, commit: serving.commit })
    : undefined;
  const since = new Date(now.getTime() - 30 * DAY_SECONDS * 1000);
  const tried = await deployments(db, { environments: production, services: [name], from: since, to: now });
  return {
    service: {
      name,
      tier: service.tier,
      owner: service.owner,
      ownerExists: service.ownerExists,
      repository: service.repository ?? null,
    },
    owner: members === undefined ? null : { members: members.length },
    slo: last ? objectives(await unlessUnreadable(parts.sloReport(name, last))) : null,
    alerts: service.repository ? await alertsOf({ db, forge }, name, service.repository, now) : null,
    serving:
      serving && evidence
        ? {
            release: serving.id,
            commit: serving.commit,
            ageDays: (now.getTime() - (serving.endedAt ?? now).getTime()) / 1000 / DAY_SECONDS,
            provenance: evidence.provenance !== null && !evidence.provenance.revoked,
            testsPassed: evidence.tests?.result === "passed" && !evidence.tests.revoked,
            scan:
              evidence.scan && !evidence.scan.revoked
                ? { ageDays: evidence.scan.ageSeconds / DAY_SECONDS, critical: evidence.scan.critical }
                : null,
            isolatedBuild: evidence.provenance?.isolated === true,
          }
        : null,
    incidents: incidentsIn(await incidents(db, { services: [name], since, limit: 1000 }), production, now),
    deployments: {
      promoted: tried.filter(({ outcome, takenBackAt }) => outcome === "promoted" && !takenBackAt).length,
      failed: tried.filter(({ outcome, takenBackAt }) => outcome !== "promoted" || takenBackAt).length,
    },
  };
}

/** Null where the repository's default branch can't be read. */
async function alertsOf(
  { db, forge }: Pick<Parts, "db" | "forge">,
  service: string,
  repository: string,
  now: Date,
): Promise<ScoreFacts["alerts"]> {
  const head = await forge.head(repository);
  if (head === undefined) return null;
  const file = await unlessUnreadable(forge.readFile(repository, head, ALERT_ROUTE).then((text) => ({ text })));
  return file && { route: routesAlerts(file.text), onCall: await peopleOnCall(db, service, now) };
}

/** How many people are on call by a rotation; null where the descriptor names one that is kept elsewhere. All of a group without a rotation is nobody in particular. */
async function peopleOnCall(db: Sql, service: string, now: Date): Promise<number | null> {
  const { group, rotation, named, members } = await answerersOf(db, service);
  if (group === undefined || !rotation) return named === undefined ? 0 : null;
  if (named !== undefined && rotation.name !== named) return null;
  return onCallAt(group, rotation, members, now).people.length;
}

/** Null in the place of what can't be read, such as a file that is too large. What is out of reach for now is asked for again. */
async function unlessUnreadable<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (isFault(error) && error.kind !== "unavailable") return null;
    throw error;
  }
}

const ANSWERED_WITHIN_SECONDS = 3600;

function incidentsIn({ items }: { items: readonly Incident[] }, production: readonly string[], now: Date): ScoreFacts["incidents"] {
  const counted = items
    .filter(({ severity, environment }) => severity === "page" && (environment === null || production.includes(environment)))
    .toSorted((a, b) => a.openedAt.getTime() - b.openedAt.getTime());
  const unanswered = counted.filter(
    ({ state, openedAt }) => state === "open" && now.getTime() - openedAt.getTime() > ANSWERED_WITHIN_SECONDS * 1000,
  );
  const unreviewed = counted.filter(({ state, review }) => state === "resolved" && review.state !== "done");
  return {
    count: counted.length,
    unanswered: unanswered.length,
    unreviewed: unreviewed.length,
    first: (unanswered[0] ?? unreviewed[0])?.id ?? "",
  };
}

function objectives(report: SloReport | null): ScoreFacts["slo"] {
  if (!report?.source?.present) return null;
  const { slos } = report;
  const count = (holds: (slo: SloReport["slos"][number]) => boolean) => slos.filter(holds).length;
  return {
    objectives: slos.length,
    placeholders: count(({ isPlaceholder }) => isPlaceholder),
    met: count(({ state }) => state === "met"),
    missed: count(({ state }) => state === "missed"),
    unknown: count(({ state }) => state === "unknown"),
  };
}

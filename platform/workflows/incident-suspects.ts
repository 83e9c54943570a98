import { serviceRef } from "../catalog/store.ts";
import { serviceDetail } from "../catalog/views.ts";
import type { Incident, Suspect } from "../incidents/model.ts";
import { changesBefore } from "../incidents/store.ts";
import { suspectsOf, type Scene } from "../incidents/suspects.ts";
import type { Sql } from "../kernel/sql.ts";
import { callsOf } from "../observability/calls.ts";
import { currentRelease, find } from "../releases/store.ts";
import { servedBefore } from "./go-back.ts";
import { missing } from "./on-call.ts";

/** The changes that may have caused an incident, from the ledger, the likeliest first. None where no service is known. */
export async function suspectsFor(db: Sql, incident: Incident): Promise<Suspect[]> {
  const { service, environment, beganAt, openedAt } = incident;
  if (service === null) return [];
  const dependencies = await neededBy(db, service);
  const changes = await changesBefore(db, [service, ...dependencies].map(serviceRef), beganAt);
  const standing = new Map<string, ReturnType<Scene["standing"]>>();
  for (const id of new Set(changes.flatMap(({ data }) => (typeof data.release === "string" ? data.release : []))))
    standing.set(id, await standingOf(db, id));
  return suspectsOf(changes, { service, environment, dependencies, beganAt, openedAt, standing: (id) => standing.get(id) ?? "gone" });
}

async function standingOf(db: Sql, id: string): Promise<ReturnType<Scene["standing"]>> {
  const release = await find(db, id).catch(missing);
  if (!release) return "gone";
  if (release.state === "rolling_out" || release.state === "held") return "under_way";
  if ((await currentRelease(db, release.service, release.environment))?.id !== id) return "gone";
  return (await servedBefore({ db }, release)) ? "serves" : "first";
}

/** The services that a service needs: as declared, and as the proxy saw it call. */
async function neededBy(db: Sql, service: string): Promise<string[]> {
  const detail = await serviceDetail(db, service).catch(missing);
  const declared = detail?.dependencies.map(({ target_service }) => target_service) ?? [];
  const called = (await callsOf(db, service)).filter(({ caller }) => caller.split("/")[0] === service).map((call) => call.service);
  return [...new Set([...declared, ...called])].filter((name) => name !== service && !name.includes(":"));
}

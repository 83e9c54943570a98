import type { RecordedEvent } from "../ledger/model.ts";
import type { Suspect, WayBack } from "./model.ts";

/** How far back a change is looked for. */
export const LOOK_BACK_HOURS = 24;
/** What comes a little after the beginning counts too: an alert's beginning is known to the minute. */
export const SLACK_SECONDS = 120;
const MOST_SUSPECTS = 10;

/** The ledger events that are changes which may break something. */
export const CHANGING_EVENTS: readonly string[] = [
  "releases.started",
  "releases.shifted",
  "releases.promoted",
  "releases.rolled_back",
  "releases.failed",
  "infra.resource_created",
  "infra.resource_updated",
  "infra.resource_deleted",
  "infra.resource_retained",
  "secrets.set",
  "secrets.unset",
  "policy.bundle_changed",
  "policy.exception_granted",
  "policy.exception_ended",
  "policy.break_glass_opened",
  "releases.quarantine_lifted",
  "releases.windows_loaded",
  "catalog.service_registered",
  "catalog.entity_changed",
  "catalog.dependency_added",
  "catalog.dependency_removed",
];

/** How likely each kind is before anything else is known. */
const LIKELY: Record<Suspect["kind"], number> = {
  release: 1,
  infrastructure: 0.8,
  secret: 0.75,
  dependency_release: 0.6,
  policy: 0.3,
  catalog: 0.2,
};
/** After so long a change is half as likely. */
const HALF_LIFE_MINUTES = 45;

/** What suspects are looked for of. */
export interface Scene {
  service: string;
  /** Null where it is not known: then every environment counts. */
  environment: string | null;
  /** Names of services that it needs, as declared or as seen. */
  dependencies: readonly string[];
  beganAt: Date;
  /** What was done after it was seen did not cause it: it is the way back, mostly. */
  openedAt: Date;
  /** How a release stands now. Of one that serves no more there is nothing to go back from; of the first that served, nothing to go back to. */
  standing: (release: string) => "under_way" | "serves" | "first" | "gone";
}

/**
 * The changes that may have caused an incident, the likeliest first: by kind, by how short a time before it they were made, and by whether they were made in
 * the same environment. Pure: the same ledger gives the same suspects.
 */
export function suspectsOf(changes: readonly RecordedEvent[], scene: Scene): Suspect[] {
  const found = new Map<string, Suspect>();
  const replaced = replacedBefore(changes, scene.beganAt);
  for (const event of changes) {
    if (replaced.has(String(event.data.release))) continue;
    const age = (scene.beganAt.getTime() - event.at.getTime()) / 1000;
    if (event.at > scene.openedAt || age < -SLACK_SECONDS || age > LOOK_BACK_HOURS * 3600) continue;
    const suspect = suspectOf(event, scene);
    if (!suspect) continue;
    // A release has several events: what began it stands for it, unless its last shift of traffic came shortly before.
    const before = found.get(`${suspect.kind} ${suspect.id}`);
    if (!before || suspect.weight > before.weight) found.set(`${suspect.kind} ${suspect.id}`, suspect);
  }
  return [...found.values()].toSorted((a, b) => b.weight - a.weight || b.at.getTime() - a.at.getTime()).slice(0, MOST_SUSPECTS);
}

/** Releases that another one had replaced, or that had been rolled back, before it began: they did nothing any more. */
function replacedBefore(changes: readonly RecordedEvent[], beganAt: Date): Set<string> {
  const gone = new Set<string>();
  const serving = new Map<string, string>();
  for (const { type, about, data, at } of changes.toSorted((a, b) => a.seq - b.seq)) {
    if (at.getTime() > beganAt.getTime() - SLACK_SECONDS * 1000 || typeof data.release !== "string") continue;
    if (type === "releases.rolled_back" || type === "releases.failed") gone.add(data.release);
    if (type !== "releases.promoted") continue;
    const place = `${about} ${String(data.environment)}`;
    const before = serving.get(place);
    if (before !== undefined) gone.add(before);
    serving.set(place, data.release);
  }
  return gone;
}

function suspectOf(event: RecordedEvent, scene: Scene): Suspect | undefined {
  const service = event.about.startsWith(COMPONENT) ? event.about.slice(COMPONENT.length) : null;
  const own = service === scene.service;
  if (service !== null && !own && !scene.dependencies.includes(service)) return undefined;
  const environments = environmentsOf(event.data);
  if (scene.environment !== null && environments.length > 0 && !environments.includes(scene.environment)) return undefined;
  const environment = environments.length === 1 ? (environments[0] ?? null) : scene.environment;
  const what = wordsOf(event, { own, service: service ?? scene.service, environment, scene });
  if (!what) return undefined;
  const minutes = Math.max(0, scene.beganAt.getTime() - event.at.getTime()) / 60_000;
  const weight = LIKELY[what.kind] * 0.5 ** (minutes / HALF_LIFE_MINUTES);
  return {
    ...what,
    service,
    environment: environments.length === 1 ? (environments[0] ?? null) : null,
    at: event.at,
    by: event.actor,
    weight: Number(weight.toFixed(4)),
    because: `${what.because} ${agoOf(event.at, scene.beganAt)}`,
  };
}

type Words = Pick<Suspect, "kind" | "id" | "title" | "because" | "link" | "wayBack">;

function wordsOf(
  { type, data, about }: RecordedEvent,
  { own, service, environment, scene }: { own: boolean; service: string; environment: string | null; scene: Scene },
): Words | undefined {
  const text = (key: string): string => (typeof data[key] === "string" ? data[key] : "");
  switch (type) {
    case "releases.started":
    case "releases.shifted":
    case "releases.promoted":
    case "releases.rolled_back":
    case "releases.failed": {
      const id = text("release");
      const gone = type === "releases.rolled_back" || type === "releases.failed";
      const percent = typeof data.toPercent === "number" ? ` ${data.toPercent} % of` : type === "releases.promoted" ? " all" : "";
      return {
        kind: own ? "release" : "dependency_release",
        id,
        title: `Release ${id} of ${service} to ${text("environment")}`,
        because: `${own ? "it" : `${service}, which ${scene.service} needs,`} ${type === "releases.started" ? "began to roll out" : gone ? "ended, and what served before came back" : `got${percent} the traffic`}`,
        link: `/releases/${id}`,
        wayBack: releaseWayBack(id, service, text("environment"), scene.standing(id), text("previous")),
      };
    }
    case "infra.resource_created":
    case "infra.resource_updated":
    case "infra.resource_deleted":
    case "infra.resource_retained":
      return {
        kind: "infrastructure",
        id: `${service}/${environment ?? ""}/${text("address")}`,
        title: `${text("address")} of ${service} was ${type.replace("infra.resource_", "").replace("retained", "taken out of use")}`,
        because: `its infrastructure was changed`,
        link: `/services/${service}`,
        wayBack:
          environment === null || type === "infra.resource_created"
            ? null
            : {
                what: "Bring back what served before, with the infrastructure of its commit",
                command: `cairn rollback ${service} -e ${environment} -b REASON`,
                operation: rollback(service, environment),
              },
      };
    case "secrets.set":
    case "secrets.unset":
      return {
        kind: "secret",
        id: `${service}/${text("name")}`,
        title: `Secret ${text("name")} of ${service} was ${type === "secrets.set" ? "set" : "taken away"}`,
        because: "its secret was changed; what serves takes it with its next release",
        link: `/services/${service}`,
        wayBack: {
          what: "Set the value that it had before, then deliver: the platform keeps no old value",
          command: `cairn secrets set ${service} ${text("name")}`,
          operation: null,
        },
      };
    case "policy.bundle_changed":
      if (data.before === null) return undefined; // the first rules that there were
      return {
        kind: "policy",
        id: text("digest"),
        title: "The rules were changed",
        because: `${listOf(data.changed, "no rule")} changed`,
        link: "/policies",
        wayBack: { what: "Put the rules back as they were, and start the platform anew", command: "cairn policies", operation: null },
      };
    case "policy.exception_granted":
      return {
        kind: "policy",
        id: text("exception"),
        title: `An exception lets ${service} through`,
        because: `an exception was granted: ${text("because")}, so that what its rule refuses could pass,`,
        link: "/policies",
        wayBack: {
          what: "End the exception",
          command: `cairn exceptions end ${text("exception")} -b REASON`,
          operation: { method: "POST", path: `/api/exceptions/${text("exception")}/end`, body: {} },
        },
      };
    case "policy.exception_ended":
      return {
        kind: "policy",
        id: text("exception"),
        title: `An exception of ${service} ended`,
        because: "an exception ended",
        link: "/policies",
        wayBack: null,
      };
    case "policy.break_glass_opened":
      return {
        kind: "policy",
        id: text("breakGlass"),
        title: `Glass was broken for ${service}`,
        because: `glass was broken: ${text("because")}, so that what rules refuse could pass,`,
        link: `/break-glass/${text("breakGlass")}`,
        wayBack: {
          what: "End it before its time",
          command: `cairn break-glass close ${text("breakGlass")} -b REASON`,
          operation: { method: "POST", path: `/api/break-glass/${text("breakGlass")}/close`, body: {} },
        },
      };
    case "releases.quarantine_lifted":
      return {
        kind: "policy",
        id: `quarantine ${text("artifactDigest") || about}`,
        title: `An artifact of ${service} was let out of quarantine`,
        because: "an artifact that had made things worse was let through again",
        link: `/services/${service}`,
        wayBack: { what: "Bar it again", command: `cairn quarantine add ${service} DIGEST -b REASON`, operation: null },
      };
    case "releases.windows_loaded":
      return {
        kind: "policy",
        id: "windows",
        title: "The windows of releases were changed",
        because: "windows and freezes were loaded",
        link: "/policies",
        wayBack: null,
      };
    case "catalog.dependency_added":
    case "catalog.dependency_removed":
      return {
        kind: "catalog",
        id: `${service} ${text("target")}`,
        title: `${service} ${type.endsWith("added") ? "depends on" : "no longer depends on"} ${text("target").replace(COMPONENT, "")}`,
        because: "its dependencies were changed",
        link: `/services/${service}`,
        wayBack: null,
      };
    case "catalog.service_registered":
    case "catalog.entity_changed":
      return {
        kind: "catalog",
        id: about,
        title: `${service} was ${type.endsWith("registered") ? "registered by hand" : "described anew"}`,
        because: type.endsWith("registered")
          ? "it was registered by hand"
          : `${listOf(data.fields, "its description")} changed in its description`,
        link: `/services/${service}`,
        wayBack: null,
      };
    default:
      return undefined;
  }
}

function releaseWayBack(
  id: string,
  service: string,
  environment: string,
  standing: ReturnType<Scene["standing"]>,
  previous: string,
): WayBack | null {
  if (standing === "gone" || standing === "first") return null;
  if (standing === "under_way")
    return {
      what: "Roll it back while it is under way",
      command: `cairn rollback ${id} -b REASON`,
      operation: { method: "POST", path: `/api/releases/${id}/answer`, body: { action: "roll_back" } },
    };
  return {
    what: `Bring back what served before${previous === "" ? "" : ` (${previous})`}`,
    command: `cairn rollback ${service} -e ${environment} -b REASON`,
    operation: rollback(service, environment),
  };
}

const rollback = (service: string, environment: string): WayBack["operation"] => ({
  method: "POST",
  path: `/api/services/${service}/rollback`,
  body: { environment },
});

const COMPONENT = "component:default/";

const environmentsOf = (data: Record<string, unknown>): string[] =>
  Array.isArray(data.environments)
    ? data.environments.filter((one) => typeof one === "string")
    : typeof data.environment === "string"
      ? [data.environment]
      : [];

const listOf = (names: unknown, otherwise: string): string =>
  Array.isArray(names) && names.length > 0 ? names.slice(0, 5).join(", ") : otherwise;

function agoOf(at: Date, began: Date): string {
  const seconds = Math.round((began.getTime() - at.getTime()) / 1000);
  if (seconds < 0) return `${-seconds} s after it began`;
  if (seconds < 90) return `${seconds} s before it began`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} minutes before it began` : `${Math.round(minutes / 60)} hours before it began`;
}

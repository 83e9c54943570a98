import type { RecordedEvent } from "../ledger/model.ts";
import type { TimelineEntry } from "./model.ts";

/** What else is shown of the service while its incident lasts. */
export const BESIDE_EVENTS: readonly string[] = [
  "releases.started",
  "releases.promoted",
  "releases.rolled_back",
  "releases.failed",
  "releases.held",
  "releases.going_back",
  "secrets.set",
  "secrets.unset",
];

/** What happened, in words, oldest first. What nobody needs to read is left out. */
export const timelineOf = (events: readonly RecordedEvent[]): TimelineEntry[] =>
  events
    .flatMap((event) => {
      const text = textOf(event);
      return text === undefined ? [] : [{ seq: event.seq, at: event.at, type: event.type, actor: event.actor, text, link: linkOf(event) }];
    })
    .toSorted((a, b) => a.seq - b.seq);

function textOf({ type, actor, data }: RecordedEvent): string | undefined {
  const text = (key: string): string => (typeof data[key] === "string" ? data[key] : "");
  const who = nameOf(actor);
  switch (type) {
    case "incidents.opened":
      return `Opened: ${text("because")}`;
    case "incidents.reopened":
      return `Opened again: ${text("because")}`;
    case "incidents.alert_fired":
      return `${text("alert")} fires${data.raised === true ? ": it is a page now" : " too"}`;
    case "incidents.alert_ended":
      return `${text("alert")} fires no more`;
    case "incidents.paged":
      return `Told ${listOf(data.audience)}: ${text("because")}`;
    case "incidents.acknowledged":
      return `${who} looks at it`;
    case "incidents.noted":
      return `${who}: ${text("text")}`;
    case "incidents.resolved":
      return `Resolved by ${who}: ${text("because")}`;
    case "incidents.review_drafted":
      return `${who} drafted the review: ${text("change")}`;
    case "incidents.reviewed":
      return `The review was merged: ${text("change")}`;
    case "incidents.review_closed":
      return `The draft of the review was closed: ${text("change")}`;
    case "releases.started":
      return `Release ${text("release")} began to roll out to ${text("environment")}`;
    case "releases.promoted":
      return `Release ${text("release")} serves in ${text("environment")}`;
    case "releases.rolled_back":
      return `Release ${text("release")} was rolled back in ${text("environment")}: ${text("because")}`;
    case "releases.failed":
      return `Release ${text("release")} to ${text("environment")} failed: ${text("because")}`;
    case "releases.held":
      return `Release ${text("release")} to ${text("environment")} is held: ${text("because")}`;
    case "releases.going_back":
      return `${who} asked for ${text("to")} to come back in ${text("environment")}: ${text("because")}`;
    case "secrets.set":
      return `${who} set the secret ${text("name")}`;
    case "secrets.unset":
      return `${who} took the secret ${text("name")} away`;
    default:
      return undefined;
  }
}

function linkOf({ type, data }: RecordedEvent): string | null {
  if (typeof data.release === "string") return `/releases/${data.release}`;
  if (type === "releases.going_back") return `/releases/${String(data.to)}`;
  if (typeof data.change === "string") return `/changes/${data.change}`;
  return null;
}

const nameOf = (actor: string): string => actor.replace(/^user:default\//, "").replace(/^system:.*$/, "the platform");

const listOf = (names: unknown): string =>
  Array.isArray(names) ? names.map((name) => String(name).replace(/^(user|group):default\//, "")).join(", ") : "";

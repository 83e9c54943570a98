import { clockOf } from "./time.tsx";

/** The short name in a reference: `group:default/shop` is `shop`. */
export const nameOf = (reference: string): string => reference.replace(/^[a-z-]+:([a-z0-9-]+\/)?/, "");

/** The service that something is about, if it is about one. */
export const serviceOf = (about: string): string | undefined => /^component:default\/(.+)$/.exec(about)?.[1];

/** The page of what something is about, if it has one: `component:default/orders`, `change:orders/1`. */
export function pageOf(about: string): string | undefined {
  const service = serviceOf(about);
  if (service) return `/services/${service}`;
  const [, kind, id] = /^(change|break-glass):(.+)$/.exec(about) ?? [];
  return id && (kind === "change" ? `/changes/${id}` : `/break-glass/${id}`);
}

/** Ids of runs hold slashes and spaces. */
export const runPath = (id: string): string => `/runs/${encodeURIComponent(id)}`;

/** Words for people: references become names, digests short, instants the reader's own time. */
export const plain = (text: string): string =>
  text
    .replaceAll(/\b(?:user|group|component):default\//g, "")
    .replaceAll(/\b(resource|api|system|domain):default\/([\w.-]+)/g, "$2 ($1)")
    .replaceAll(/\bsha256:([0-9a-f]{12})[0-9a-f]{52}\b/g, "$1")
    .replaceAll(/\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g, (instant) => clockOf(instant, "day"));

/** `deliver commit` is `Deliver commit`; a name such as `slo.yaml` or `team-shop` stays as it is. */
export const sentence = (said: string): string => {
  const text = plain(said);
  return /^\S*[./_]\w|^[a-z0-9]+(-[a-z0-9]+)+\b/.test(text) ? text : text.replace(/^./, (letter) => letter.toUpperCase());
};

export const shortDigest = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 12);

/** A break-glass's state as a status. */
export const glassStatus = (state: "open" | "to_review" | "reviewed"): { of: string; label: string } =>
  ({
    open: { of: "warned", label: "open" },
    to_review: { of: "waiting", label: "waits for review" },
    reviewed: { of: "passed", label: "reviewed" },
  })[state];

/** The golden path for code that is there already: it takes a repository's history along, which a browser has no copy of. */
export const IMPORTS = "existing-code";

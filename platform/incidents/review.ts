import type { Incident, Suspect, TimelineEntry } from "./model.ts";

/** What the counters say of the time between its beginning and its end. */
export interface Impact {
  requests: number;
  errors: number;
  from: Date;
  until: Date;
}

/** Where the review of an incident lies in the service's repository. */
export const reviewPath = (incident: Incident): string =>
  `docs/incidents/${incident.openedAt.toISOString().slice(0, 10)}-${slugOf(incident.title)}-${incident.id.slice(-6)}.md`;

export const reviewBranch = (incident: Incident): string => `cairn/review-${incident.id.replace("_", "-")}`;

/** The draft of a review: all that the platform knows, and headings for what only people know. */
export function reviewDraft(facts: {
  incident: Incident;
  timeline: readonly TimelineEntry[];
  suspects: readonly Suspect[];
  /** Null where no service or environment is known, or nobody counted. */
  impact: Impact | null;
  /** What served when it began and when it ended, as sentences. */
  served: readonly string[];
  portal: string;
}): string {
  const { incident, timeline, suspects, impact, served, portal } = facts;
  const ended = incident.resolved;
  const minutes = ended ? Math.max(1, Math.round((ended.at.getTime() - incident.beganAt.getTime()) / 60_000)) : null;
  const where = `${incident.service ?? "no known service"}${incident.environment === null ? "" : ` in ${incident.environment}`}`;
  const acknowledged = incident.acknowledged
    ? `${incident.acknowledged.by}, ${Math.round((incident.acknowledged.at.getTime() - incident.openedAt.getTime()) / 1000)} s after it was opened`
    : "nobody";
  return [
    `# ${line(incident.title)}`,
    "",
    `Incident [${incident.id}](${portal}/incidents/${incident.id}) of ${where}, ${incident.severity}.`,
    "",
    "| | |",
    "|---|---|",
    `| Began | ${time(incident.beganAt)} |`,
    `| Opened | ${time(incident.openedAt)} by ${cell(incident.openedBy)} |`,
    `| Acknowledged | ${cell(acknowledged)} |`,
    ...(ended ? [`| Resolved | ${time(ended.at)} by ${cell(ended.by)}: ${cell(ended.because)} |`, `| Lasted | ${minutes} min |`] : []),
    "",
    "## What users saw",
    "",
    impact && impact.requests > 0
      ? `Of ${impact.requests} requests between ${time(impact.from)} and ${time(impact.until)}, ${impact.errors} failed (${((100 * impact.errors) / impact.requests).toFixed(2)} %).`
      : "The counters hold no requests of that time: say here what users saw.",
    "",
    "## What served",
    "",
    ...(served.length > 0 ? served.map((text) => `- ${line(text)}`) : ["- Nothing that the platform released."]),
    "",
    "## Suspects",
    "",
    "Changes shortly before it began, the likeliest first. Strike out what it was not, and say how you know.",
    "",
    ...(suspects.length > 0
      ? suspects.map((one) => `- ${line(one.title)} (${time(one.at)}, ${one.by}): ${line(one.because)}`)
      : ["- No release, no change of infrastructure, secrets, rules or catalog in the day before it began."]),
    "",
    "## Timeline",
    "",
    ...timeline.map((entry) => `- ${time(entry.at)} ${line(entry.text)}`),
    "",
    "## What caused it",
    "",
    "## What went well, and what did not",
    "",
    "## What changes",
    "",
    "| Action | Owner | Until |",
    "|---|---|---|",
    "| | | |",
    "",
  ].join("\n");
}

function slugOf(title: string): string {
  const slug = title
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60)
    .replace(/-+$/, "");
  return slug === "" ? "incident" : slug;
}

const time = (at: Date): string => `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** What people and alerts wrote, in one line of Markdown: it makes no heading, no link, no markup of its own. */
const line = (text: string): string =>
  text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/([\\`*_[\]<>])/g, "\\$1")
    .trim();

const cell = (text: string): string => line(text).replaceAll("|", "\\|");

import { ADMINISTRATORS, type Notice } from "../notifications/model.ts";

/** What a notice says beyond its event: looked up when it is told. */
export interface AboutService {
  service: string;
  /** Reference of the owning group; undefined where there is none: then administrators are told. */
  owner: string | undefined;
}

const keepers = ({ owner }: AboutService): string[] => [owner ?? ADMINISTRATORS];

/** A release that asks for somebody's eyes. */
export function releaseNotice(
  what: "refused" | "held" | "rolled_back" | "failed",
  release: { id: string; environment: string; state?: string; because: string; startedBy: string },
  about: AboutService,
  seq: number,
): Notice {
  const title = {
    refused: `${about.service} was refused for ${release.environment}`,
    held: `The release of ${about.service} to ${release.environment} is held`,
    rolled_back: `${about.service} rolled back in ${release.environment}`,
    failed: `The release of ${about.service} to ${release.environment} failed`,
  }[what];
  const next = {
    refused: `What each rule wants: cairn why ${release.id}`,
    held:
      release.state === "planned"
        ? `Merge what mends it, or let it go: cairn go-on ${release.id} -b REASON`
        : `Somebody has to say how it goes on: cairn go-on ${release.id} or cairn rollback ${release.id}, with -b REASON`,
    rolled_back: `What ran before serves. The evidence: cairn why ${release.id}`,
    failed: `What happened: cairn why ${release.id}`,
  }[what];
  return {
    key: `release ${release.id} ${what} ${seq}`,
    kind: `release.${what}`,
    title,
    body: `${release.because}. ${next}`,
    link: `/releases/${release.id}`,
    about: `component:default/${about.service}`,
    audience: [...new Set([...keepers(about), ...(release.startedBy.startsWith("user:") ? [release.startedBy] : [])])],
    except: [],
    urgent: what !== "refused",
  };
}

/** An approval that a change request can't be merged without. */
export function changeApprovalNotice(
  change: { repository: string; number: number; title: string; head: string; author: string },
  approvers: readonly string[],
): Notice {
  const id = `${change.repository}/${change.number}`;
  return {
    key: `approval ${id} ${change.head}`,
    kind: "approval.wanted",
    title: `Your approval is wanted: ${change.title}`,
    body: `${id} by ${change.author} waits for somebody who owns the code. Look at it, then: cairn changes approve ${id}`,
    link: `/changes/${id}`,
    about: `repository:${change.repository}`,
    audience: [...approvers],
    except: [change.author],
    urgent: false,
  };
}

/** An approval that a release waits for: of its plan, to the byte. */
export function releaseApprovalNotice(
  release: { id: string; environment: string; plan: string },
  approval: { owner: string; authors: readonly string[] },
  about: AboutService,
): Notice {
  return {
    key: `approval ${release.plan}`,
    kind: "approval.wanted",
    title: `Your approval is wanted: ${about.service} to ${release.environment}`,
    body: `Release ${release.id} waits for somebody who took no part in it. Look at its plan: cairn plan ${release.plan}. Then: cairn approve ${release.id}`,
    link: `/releases/${release.id}`,
    about: `component:default/${about.service}`,
    audience: [...new Set([approval.owner, ADMINISTRATORS])],
    except: [...approval.authors],
    urgent: false,
  };
}

/** A check that stands in the way of somebody's change request. */
export function checkNotice(
  change: { repository: string; number: number; head: string; author: string },
  check: { name: string; state: "failed" | "unknown"; summary: string },
): Notice {
  const id = `${change.repository}/${change.number}`;
  return {
    key: `check ${id} ${change.head} ${check.name}`,
    kind: "check.failed",
    title: `Check ${check.name} ${check.state === "failed" ? "failed" : "could not be made"} on ${id}`,
    body: `${check.summary}. What it wants: cairn changes show ${id}`,
    link: `/changes/${id}`,
    about: `repository:${change.repository}`,
    audience: [change.author],
    except: [],
    urgent: false,
  };
}

/** A merge that CI could not build or test: nothing of it goes anywhere. */
export function buildNotice(
  change: { repository: string; number: number; author: string },
  ci: { run: string; commit: string; because: string },
  about: AboutService,
): Notice {
  return {
    key: `build ${ci.run}`,
    kind: "check.failed",
    title: `CI failed after the merge of ${change.repository}/${change.number}`,
    body: `${ci.because}. Commit ${ci.commit.slice(0, 12)} goes nowhere; mend it by another change request. What happened: cairn why ${ci.run}`,
    link: `/ci-runs/${ci.run}`,
    about: `repository:${change.repository}`,
    audience: [...new Set([change.author, ...keepers(about)])],
    except: [],
    urgent: false,
  };
}

/** A break-glass: others are told of it at once, told to look when it is over, and its opener of the review. */
export function breakGlassNotice(
  what: "opened" | "follow_up" | "reviewed",
  glass: { id: string; service: string; environment: string | null; rules: string[]; because: string; openedBy: string; until: string },
  about: AboutService,
  said = { by: "", because: "" },
): Notice {
  const where = `${glass.service}${glass.environment === null ? "" : ` in ${glass.environment}`}`;
  const rules = glass.rules.includes("*") ? "every rule that allows it" : glass.rules.join(", ");
  const [title, body] = {
    opened: [
      `${glass.openedBy} broke the glass for ${where}`,
      `"${glass.because}" It passes ${rules} until ${glass.until}. To end it: cairn break-glass close ${glass.id} -b REASON`,
    ],
    follow_up: [
      `A break-glass for ${where} wants a review`,
      `${glass.openedBy} opened it: "${glass.because}" See what was done under it: cairn break-glass show ${glass.id}. Then: cairn break-glass review ${glass.id} -b FINDING`,
    ],
    reviewed: [`Your break-glass for ${where} was reviewed`, `${said.by}: "${said.because}"`],
  }[what] as [string, string];
  return {
    key: `break-glass ${glass.id} ${what}`,
    kind: `break_glass.${what}`,
    title,
    body,
    link: `/break-glass/${glass.id}`,
    about: `component:default/${glass.service}`,
    audience: what === "reviewed" ? [glass.openedBy] : [...new Set([...keepers(about), ADMINISTRATORS])],
    except: what === "reviewed" ? [] : [glass.openedBy],
    urgent: what === "opened",
  };
}

/** Evidence was taken back that something rests on which serves, or is about to. */
export function evidenceNotice(
  evidence: { digest: string; kind: string; because: string },
  release: { id: string; environment: string },
  about: AboutService,
): Notice {
  return {
    key: `evidence ${evidence.digest} ${release.id}`,
    kind: "evidence.revoked",
    title: `${about.service} in ${release.environment} rests on revoked evidence`,
    body: `The ${evidence.kind} that its decision cites was revoked: ${evidence.because}. Merge a change, so that CI builds and proves anew.`,
    link: `/releases/${release.id}`,
    about: `component:default/${about.service}`,
    audience: keepers(about),
    except: [],
    urgent: true,
  };
}

/** Something runs, or lies, otherwise than it was released. Of one kind in one place it is told once an hour: who looks sees all of it. */
export function findingNotice(
  finding: { environment: string; kind: string; subject: string; detail: string; at: Date },
  about: AboutService,
): Notice {
  if (finding.kind === "quarantined") return quarantinedNotice(finding, about);
  return {
    key: `finding ${about.service} ${finding.environment} ${finding.kind} ${finding.at.toISOString().slice(0, 13)}`,
    kind: "runtime.found",
    title: `${about.service} in ${finding.environment} is not as it was released: ${finding.kind.replaceAll("_", " ")}`,
    body: `${finding.subject}${finding.detail === "" ? "" : `: ${finding.detail}`}. All that was found: cairn service ${about.service}. To put back what was released: cairn deliver ${about.service}`,
    link: `/services/${about.service}`,
    about: `component:default/${about.service}`,
    audience: [...new Set([...keepers(about), ADMINISTRATORS])],
    except: [],
    urgent: true,
  };
}

/** Once for all places where it serves. Why it was barred has been told already, as by the release that rolled back; it is no emergency, since it serves on. */
const quarantinedNotice = (
  { environment, subject, detail }: { environment: string; subject: string; detail: string },
  about: AboutService,
): Notice => ({
  key: `finding ${about.service} quarantined ${subject}`,
  kind: "runtime.found",
  title: `${about.service} still runs a quarantined artifact in ${environment}`,
  body: `${subject}${detail === "" ? "" : `: ${detail}`}. All that was found: cairn service ${about.service}. Merge what mends it, and another artifact takes its place; or lift it: cairn quarantine lift ${subject} -b REASON`,
  link: `/services/${about.service}`,
  about: `component:default/${about.service}`,
  audience: [...new Set([...keepers(about), ADMINISTRATORS])],
  except: [],
  urgent: false,
});

/** Somebody asked the runtime for what the platform did not sign for. */
export function attemptNotice(attempt: { id: string; because: string }, where: string, service: string | null): Notice {
  return {
    key: `attempt ${attempt.id}`,
    kind: "runtime.attempt_refused",
    title: `An attempt on the runtime was refused${service === null ? "" : `: ${service}`}`,
    body: attempt.because,
    link: "/audit",
    about: where,
    audience: [ADMINISTRATORS],
    except: [],
    urgent: true,
  };
}

/** What runs is denied by a rule that it held when it was released. */
export function breachNotice(
  audit: { environment: string; decision: string; because: string; rules: readonly string[]; day: string },
  about: AboutService,
): Notice {
  return {
    key: `audit ${about.service} ${audit.day} ${audit.rules.toSorted().join(" ")}`,
    kind: "policy.breached",
    title: `${about.service} would be denied today by ${audit.rules.join(", ")}`,
    body: `In ${audit.environment}, and wherever else it runs as it does there: ${audit.because}. It runs on. What each rule wants: cairn why ${audit.decision}`,
    link: `/decisions/${audit.decision}`,
    about: `component:default/${about.service}`,
    audience: keepers(about),
    except: [],
    urgent: false,
  };
}

/** What an incident tells people. */
export interface AboutIncident {
  id: string;
  title: string;
  severity: "page" | "ticket";
  because: string;
  /** In words, the likeliest change that may have caused it; null where there is none. */
  suspect: { title: string; because: string; command: string | null } | null;
}

const whatNext = ({ id, suspect }: AboutIncident): string =>
  [
    ...(suspect
      ? [`Suspect: ${suspect.title}, ${suspect.because}.${suspect.command === null ? "" : ` The way back: ${suspect.command}.`}`]
      : []),
    `All that is known: cairn incident ${id}. That you look at it: cairn incidents ack ${id}`,
  ].join(" ");

/** Somebody has to look at an incident now: whoever is on call, or who comes after them. */
export function pageNotice(incident: AboutIncident, page: { audience: readonly string[]; because: string; seq: number }): Notice {
  return {
    key: `incident ${incident.id} paged ${page.seq}`,
    kind: "incident.paged",
    title: incident.title,
    body: `${incident.because}. You are told since: ${page.because}. ${whatNext(incident)}`,
    link: `/incidents/${incident.id}`,
    about: `incident:${incident.id}`,
    audience: [...page.audience],
    except: [],
    urgent: incident.severity === "page",
  };
}

/** The group that owns it knows of it, and who looks at it. */
export function incidentNotice(incident: AboutIncident, group: string, onCall: readonly string[], seq: number): Notice {
  return {
    key: `incident ${incident.id} opened ${seq}`,
    kind: "incident.opened",
    title: incident.title,
    body: `${incident.because}. Told: ${onCall.join(", ")}. All that is known: cairn incident ${incident.id}`,
    link: `/incidents/${incident.id}`,
    about: `incident:${incident.id}`,
    audience: [group],
    except: [...onCall],
    urgent: false,
  };
}

/** Somebody looks at it, or it is over: whoever was told may rest. */
export function incidentTurned(
  what: "acknowledged" | "resolved",
  incident: { id: string; title: string; by: string; because: string },
  audience: readonly string[],
  seq: number,
): Notice {
  const [title, body] =
    what === "acknowledged"
      ? [`${incident.by} looks at: ${incident.title}`, `Nobody else is told. All that is known: cairn incident ${incident.id}`]
      : [
          `Over: ${incident.title}`,
          `${incident.by}: ${incident.because}. What was learnt goes into a review: cairn incidents review ${incident.id}`,
        ];
  return {
    key: `incident ${incident.id} ${what} ${seq}`,
    kind: `incident.${what}`,
    title,
    body,
    link: `/incidents/${incident.id}`,
    about: `incident:${incident.id}`,
    audience: [...audience],
    except: [incident.by],
    urgent: false,
  };
}

import { requireOwner } from "../catalog/store.ts";
import type { ChangeReview } from "../forge/model.ts";
import { groupRef } from "../identity/access.ts";
import type { Digest } from "../kernel/digest.ts";
import { isFault } from "../kernel/faults.ts";
import { transact } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { ADMINISTRATORS, type Notice } from "../notifications/model.ts";
import { tell } from "../notifications/store.ts";
import { approvalWanted, find as findPlan } from "../plans/store.ts";
import { findBreakGlass } from "../policy/break-glass-store.ts";
import { carriedBy, find as findRelease } from "../releases/store.ts";
import {
  attemptNotice,
  breachNotice,
  breakGlassNotice,
  buildNotice,
  changeApprovalNotice,
  checkNotice,
  evidenceNotice,
  findingNotice,
  incidentNotice,
  incidentTurned,
  pageNotice,
  releaseApprovalNotice,
  releaseNotice,
  type AboutService,
} from "./notices.ts";
import { findIncident } from "../incidents/store.ts";
import { suspectsFor } from "./incident-suspects.ts";
import { answerersOf } from "./on-call.ts";
import type { Parts } from "./parts.ts";

type TellParts = Pick<Parts, "db" | "clock" | "forge" | "publicUrl"> & {
  /** A change request with who owns its code, and whether it could be merged. */
  review: (repository: string, number: number) => Promise<ChangeReview>;
};

type Teller = (parts: TellParts, event: RecordedEvent) => Promise<Notice[]>;

/** What people are told of, by the event that tells it. Each looks up what the notice needs; the words are those of notices.ts. */
const TELLERS: Record<string, Teller> = {
  "forge.change_opened": changeWaits,
  "forge.change_updated": changeWaits,
  "forge.check_reported": checkFailed,
  "ci.run_ended": mergeUnbuilt,
  "releases.refused": released("refused"),
  "releases.held": released("held"),
  "releases.rolled_back": released("rolled_back"),
  "releases.failed": released("failed"),
  "policy.break_glass_opened": glassTurned("opened"),
  "policy.break_glass_expired": glassTurned("follow_up"),
  "policy.break_glass_closed": glassTurned("follow_up"),
  "policy.break_glass_reviewed": glassTurned("reviewed"),
  "evidence.revoked": evidenceRevoked,
  "releases.waiting": releaseWaits,
  "runtime.found": runtimeFound,
  "runtime.attempt_refused": attemptRefused,
  "policy.audit_changed": auditChanged,
  "incidents.paged": incidentPaged,
  "incidents.acknowledged": incidentTurns("acknowledged"),
  "incidents.resolved": incidentTurns("resolved"),
};

/** The ledger events that somebody is told of. */
export const TOLD_EVENTS: readonly string[] = Object.keys(TELLERS);

/** Tells who must know of an event. The same event again tells nothing new. What is gone meanwhile is not told of. */
export async function tellOf(parts: TellParts, event: RecordedEvent): Promise<void> {
  const notices =
    (await TELLERS[event.type]?.(parts, event).catch((error: unknown): Notice[] => {
      if (isFault(error) && error.kind === "not_found") return [];
      throw error;
    })) ?? [];
  for (const notice of notices) await transact(parts.db, (tx) => tell(tx, parts.clock, notice, parts.publicUrl));
}

async function changeWaits({ review }: TellParts, { data }: RecordedEvent): Promise<Notice[]> {
  const { repository, number, head } = data as { repository: string; number: number; head: string };
  const change = await review(repository, number);
  if (change.state !== "open" || change.head !== head || change.tier === "tier-3") return [];
  const missing = change.codeOwners.filter(({ approvedBy }) => approvedBy.length === 0).flatMap(({ owners }) => owners);
  return missing.length === 0 ? [] : [changeApprovalNotice(change, [...new Set(missing)])];
}

async function checkFailed({ forge }: TellParts, { data }: RecordedEvent): Promise<Notice[]> {
  const { repository, commit, name, state } = data as { repository: string; commit: string; name: string; state: string };
  if (state !== "failed" && state !== "unknown") return [];
  const open = (await forge.changes({ repository, state: "open" })).filter(({ head }) => head === commit);
  return open.flatMap((change) => {
    const check = change.checks.find((each) => each.name === name);
    return check ? [checkNotice(change, { name, state, summary: check.summary })] : [];
  });
}

async function mergeUnbuilt(parts: TellParts, { data }: RecordedEvent): Promise<Notice[]> {
  const ended = data as { run: string; repository: string; commit: string; purpose: string; state: string; because: string | null };
  if (ended.purpose !== "merge" || ended.state !== "failed") return [];
  const merged = (await parts.forge.changes({ repository: ended.repository, state: "merged" })).find(
    ({ mergeCommit }) => mergeCommit === ended.commit,
  );
  if (!merged) return [];
  const because = ended.because ?? "it did not say why";
  return [buildNotice(merged, { run: ended.run, commit: ended.commit, because }, await aboutService(parts, ended.repository))];
}

function released(what: Parameters<typeof releaseNotice>[0]): Teller {
  return async (parts, { data, seq }) => {
    const release = await findRelease(parts.db, String(data.release));
    const because = typeof data.because === "string" ? data.because : release.because;
    return [releaseNotice(what, { ...release, because }, await aboutService(parts, release.service), seq)];
  };
}

function glassTurned(what: Parameters<typeof breakGlassNotice>[0]): Teller {
  return async (parts, { data }) => {
    const glass = await findBreakGlass(parts.db, String(data.breakGlass));
    const said = { by: glass.review?.by ?? "", because: glass.review?.because ?? "" };
    return [breakGlassNotice(what, { ...glass, until: glass.until.toISOString() }, await aboutService(parts, glass.service), said)];
  };
}

async function evidenceRevoked(parts: TellParts, { data }: RecordedEvent): Promise<Notice[]> {
  const { evidence, kind, because, decisions = [] } = data as { evidence: string; kind: string; because: string; decisions?: string[] };
  const carried = await carriedBy(parts.db, decisions);
  return Promise.all(
    carried.map(async (release) =>
      evidenceNotice({ digest: evidence, kind, because }, release, await aboutService(parts, release.service)),
    ),
  );
}

async function releaseWaits(parts: TellParts, { data }: RecordedEvent): Promise<Notice[]> {
  const { release: id, plan, heldBy } = data as { release: string; plan: string; heldBy: { gate: string }[] };
  const release = await findRelease(parts.db, id);
  if (heldBy.some(({ gate }) => gate === "taken-back"))
    return [releaseNotice("held", release, await aboutService(parts, release.service), 0)];
  if (!heldBy.some(({ gate }) => gate === "production-approval")) return [];
  const approval = approvalWanted((await findPlan(parts.db, plan as Digest)).plan);
  if (!approval) return [];
  const wanted = { owner: groupRef(approval.owner), authors: approval.authors };
  return [releaseApprovalNotice({ id, environment: release.environment, plan }, wanted, await aboutService(parts, release.service))];
}

async function runtimeFound(parts: TellParts, { about, data, at }: RecordedEvent): Promise<Notice[]> {
  const { environment, kind, subject, detail } = data as Record<"environment" | "kind" | "subject" | "detail", string>;
  const found = { environment, kind, subject, detail: detail ?? "", at };
  return [findingNotice(found, await aboutService(parts, serviceNamed(about)))];
}

async function attemptRefused(_parts: TellParts, { about, data }: RecordedEvent): Promise<Notice[]> {
  const because = typeof data.because === "string" ? data.because : "It was not signed for by the platform";
  return [attemptNotice({ id: String(data.attempt), because }, about, about.startsWith("component:") ? serviceNamed(about) : null)];
}

/** A rule that comes to deny a service in several environments is told once a day, not once for each of them. */
async function auditChanged(parts: TellParts, { about, data, at }: RecordedEvent): Promise<Notice[]> {
  const audit = data as { environment: string; outcome: string; because: string; decision: string; newlyDenied?: string[] };
  const rules = audit.newlyDenied ?? [];
  if (audit.outcome !== "deny" || rules.length === 0) return [];
  return [breachNotice({ ...audit, rules, day: at.toISOString().slice(0, 10) }, await aboutService(parts, serviceNamed(about)))];
}

async function incidentPaged(parts: TellParts, { data, seq }: RecordedEvent): Promise<Notice[]> {
  const page = data as { incident: string; level: number; audience: string[]; because: string };
  const incident = await findIncident(parts.db, page.incident);
  const [first] = await suspectsFor(parts.db, incident);
  const suspect = first ? { title: first.title, because: first.because, command: first.wayBack?.command ?? null } : null;
  const about = { ...incident, suspect };
  const { group, members } = await answerersOf(parts.db, incident.service);
  const others = group !== undefined && page.level === 0 && members.some((ref) => !page.audience.includes(ref));
  return [pageNotice(about, { ...page, seq }), ...(others ? [incidentNotice(about, group, page.audience, seq)] : [])];
}

function incidentTurns(what: "acknowledged" | "resolved"): Teller {
  return async (parts, { data, actor, seq }) => {
    const incident = await findIncident(parts.db, String(data.incident));
    const { group } = await answerersOf(parts.db, incident.service);
    const audience = [...new Set([...incident.escalation.told, group ?? ADMINISTRATORS])];
    const because = typeof data.because === "string" ? data.because : "";
    return [incidentTurned(what, { id: incident.id, title: incident.title, by: actor, because }, audience, seq)];
  };
}

const serviceNamed = (about: string): string => about.replace(/^component:default\//, "");

async function aboutService({ db }: TellParts, service: string): Promise<AboutService> {
  const owner = await requireOwner(db, service).catch(() => undefined);
  return { service, owner: owner === undefined ? undefined : groupRef(owner) };
}

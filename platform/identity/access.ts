import type { Action, Principal, Scope, Subject } from "./model.ts";

/** What was decided, by which rule, why, and what a refused caller can do about it. */
export interface Decision {
  allowed: boolean;
  rule: string;
  because: string;
  next: string;
}

/** The scope that a caller must hold for an action; a wider scope holds the narrower ones. */
export const SCOPE_OF: Record<Action, Scope> = {
  read: "read",
  "repository.read": "read",
  "service.register": "write",
  "service.change": "write",
  "plan.make": "write",
  "plan.apply": "write",
  "plan.approve": "write",
  "repository.push": "write",
  "change.open": "write",
  "change.approve": "write",
  "change.merge": "write",
  "release.act": "write",
  "secret.set": "write",
  "evidence.file": "write",
  "evidence.revoke": "write",
  "break_glass.open": "write",
  "break_glass.review": "write",
  "incident.report": "write",
  "incident.answer": "write",
  "inbox.mark": "write",
  "exception.grant": "write",
  "exception.end": "write",
  "token.make": "write",
  "organisation.change": "admin",
  "platform.administer": "admin",
};

/** Whether an action only looks. A refused attempt at any other is recorded. */
export const looksOnly = (action: Action): boolean => SCOPE_OF[action] === "read";

export interface Guard {
  name: string;
  /** Why not, and what to do next; undefined where the guard has nothing against it. */
  objection(principal: Principal, action: Action, subject: Subject): { because: string; next: string } | undefined;
}

export interface Grant {
  name: string;
  /** Why the caller may; undefined where the grant says nothing about it. */
  reason(principal: Principal, action: Action, subject: Subject): string | undefined;
}

const WIDTH: Record<Scope, number> = { read: 1, write: 2, admin: 3 };

/** Whether scopes that one holds cover one that is asked for: admin covers write, write covers read. */
export const covers = (held: readonly Scope[], asked: Scope): boolean => held.some((scope) => WIDTH[scope] >= WIDTH[asked]);

/** Every guard must pass, whoever asks. */
export const guards: readonly Guard[] = [
  {
    name: "scope-covers-action",
    objection: ({ scopes }, action) =>
      covers(scopes, SCOPE_OF[action])
        ? undefined
        : {
            because: `it needs the scope ${SCOPE_OF[action]}, and you hold ${scopes.join(", ") || "none"}`,
            next: `Use a token with scope ${SCOPE_OF[action]}, or sign in.`,
          },
  },
  {
    name: "tokens-do-not-multiply",
    objection: ({ kind, scopes }, action) =>
      action === "token.make" && kind === "token" && !covers(scopes, "admin")
        ? {
            because: "a token makes tokens only with scope admin",
            next: "Sign in and make it there, so that revoking one token revokes all that it could do.",
          }
        : undefined,
  },
  {
    name: "nobody-approves-their-own-work",
    objection: ({ ref, tokenBy }, action, { name, authors = [] }) => {
      if (action !== "change.approve" && action !== "plan.approve") return undefined;
      const next = "Ask somebody else who answers for it.";
      if (authors.includes(ref)) return { because: `you took part in ${name ?? "it"}`, next };
      return tokenBy !== undefined && authors.includes(tokenBy)
        ? {
            because: `${tokenBy} made this token, and took part in ${name ?? "it"}`,
            next: "Sign in yourself, or use a token that you made.",
          }
        : undefined;
    },
  },
  {
    name: "people-approve",
    objection: ({ kind }, action) =>
      kind === "system" && (action === "change.approve" || action === "plan.approve")
        ? { because: "only a person can approve", next: "Sign in as yourself." }
        : undefined,
  },
  {
    name: "nobody-excepts-their-own-work",
    objection: ({ ref }, action, { name, authors = [] }) =>
      action === "exception.grant" && authors.includes(ref)
        ? {
            because: `it would let your own work on ${name ?? "it"} through`,
            next: "Ask somebody else who may grant it, or do what the rule asks.",
          }
        : undefined,
  },
];

const BY_ANYBODY: readonly Action[] = ["service.register", "plan.make", "change.open", "incident.report", "inbox.mark"];
const BY_OWNERS: readonly Action[] = [
  "service.change",
  "plan.apply",
  "plan.approve",
  "repository.push",
  "change.approve",
  "change.merge",
  "release.act",
  "secret.set",
  "evidence.file",
  "evidence.revoke",
  "break_glass.open",
  "break_glass.review",
  "incident.answer",
  "exception.end",
];
const BY_GRANTERS: readonly Action[] = ["exception.grant", "exception.end"];

/** One grant is enough; what none gives is refused. */
export const grants: readonly Grant[] = [
  { name: "platform-acts-for-itself", reason: ({ kind }) => (kind === "system" ? "it is the platform itself" : undefined) },
  { name: "administrators-may", reason: ({ administrator }) => (administrator ? "an administrator may" : undefined) },
  { name: "everybody-reads", reason: (_, action) => (looksOnly(action) ? "everybody who is signed in may read" : undefined) },
  {
    name: "everybody-proposes",
    reason: (_, action) => (BY_ANYBODY.includes(action) ? "everybody who is signed in may propose it" : undefined),
  },
  {
    name: "owners-change-their-own",
    reason: ({ groups }, action, { owner }) =>
      owner !== undefined && BY_OWNERS.includes(action) && groups.includes(groupRef(owner))
        ? `a member of ${groupRef(owner)} may`
        : undefined,
  },
  {
    name: "granters-grant",
    reason: ({ groups }, action, { grantedBy = [] }) => {
      const granting = BY_GRANTERS.includes(action) ? grantedBy.find((group) => groups.includes(groupRef(group))) : undefined;
      return granting === undefined ? undefined : `a member of ${groupRef(granting)} may`;
    },
  },
  {
    name: "code-owners-approve",
    reason: (_, action, { codeOwner }) =>
      action === "change.approve" && codeOwner === true ? "a code owner of what it changes may" : undefined,
  },
  {
    name: "on-call-answers",
    reason: (_, action, { onCall }) => (action === "incident.answer" && onCall === true ? "whoever is on call for it may" : undefined),
  },
  {
    name: "everybody-makes-own-tokens",
    reason: ({ ref }, action, { owner }) =>
      action === "token.make" && owner === ref ? "everybody may make tokens of their own" : undefined,
  },
];

/**
 * The one decision about access: denied by default. All guards must pass and one grant must speak for it, so the order of rules decides
 * only which one is named, never the outcome. Pure.
 */
export function decide(
  principal: Principal,
  action: Action,
  subject: Subject = {},
  rules: { guards: readonly Guard[]; grants: readonly Grant[] } = { guards, grants },
): Decision {
  for (const guard of rules.guards) {
    const objection = guard.objection(principal, action, subject);
    if (objection) return { allowed: false, rule: guard.name, ...objection };
  }
  for (const grant of rules.grants) {
    const because = grant.reason(principal, action, subject);
    if (because !== undefined) return { allowed: true, rule: grant.name, because, next: "" };
  }
  return { allowed: false, rule: "denied-by-default", ...whyDenied(action, subject) };
}

function whyDenied(action: Action, { owner, grantedBy = [] }: Subject): { because: string; next: string } {
  if (action === "exception.grant" && grantedBy.length > 0)
    return {
      because: `only ${grantedBy.map(groupRef).join(", ")} and administrators may`,
      next: "Ask one of them, or do what the rule asks.",
    };
  if (!BY_OWNERS.includes(action)) return { because: "only an administrator may", next: "Ask an administrator." };
  if (owner === undefined)
    return { because: "it has no owner in the catalog, so only an administrator may", next: "Give it an owner, or ask an administrator." };
  return { because: `you are not a member of ${groupRef(owner)}`, next: `Ask a member of ${groupRef(owner)}, or an administrator.` };
}

/** The full reference of a group that may be written short, as in descriptors: `team-a` is `group:default/team-a`. */
export function groupRef(owner: string): string {
  const lower = owner.toLowerCase();
  if (lower.includes(":")) return lower.includes("/") ? lower : lower.replace(":", ":default/");
  return lower.includes("/") ? `group:${lower}` : `group:default/${lower}`;
}

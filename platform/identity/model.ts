import { z } from "zod";

/** What a caller may do. A token carries some of them; a signed-in person has all that their groups give. */
export const Scope = z.enum(["read", "write", "admin"]);
export type Scope = z.infer<typeof Scope>;

/** Who is calling, as every surface knows them. */
export const Principal = z.object({
  /** `user:default/ada` for people and their tokens, `system:deliver-commit` for the platform itself. */
  ref: z.string(),
  kind: z.enum(["person", "token", "system"]),
  displayName: z.string(),
  scopes: z.array(Scope),
  /** Group references that the person is a member of now, e.g. `group:default/team-a`. */
  groups: z.array(z.string()),
  administrator: z.boolean(),
  /** Of a token: who made it, where that was somebody else. They know it too. */
  tokenBy: z.string().optional(),
});
export type Principal = z.infer<typeof Principal>;

/** The platform acting on its own account, inside workflows. */
export const systemPrincipal = (part: string): Principal => ({
  ref: `system:${part}`,
  kind: "system",
  displayName: part,
  scopes: ["read", "write", "admin"],
  groups: [],
  administrator: true,
});

/** What identity asks about groups and people; the catalog answers. */
export interface Directory {
  groupsOf(user: string): Promise<string[]>;
  /** A person of the organisation, who becomes one that can sign in when an administrator makes them a link or a token. */
  person?(ref: string): Promise<{ displayName: string } | undefined>;
}

/** Everything one can ask leave for. `subject` of a check says of what: owner group, author… */
export type Action =
  | "read"
  | "service.register"
  | "service.change"
  | "plan.make"
  | "plan.apply"
  | "plan.approve"
  | "repository.read"
  | "repository.push"
  | "change.open"
  | "change.approve"
  | "change.merge"
  | "release.act"
  | "secret.set"
  | "evidence.file"
  | "evidence.revoke"
  | "break_glass.open"
  | "break_glass.review"
  | "incident.report"
  | "incident.answer"
  | "inbox.mark"
  | "exception.grant"
  | "exception.end"
  | "organisation.change"
  | "token.make"
  | "platform.administer";

/** Of what: the owner group of the entity concerned, where there is one. */
export interface Subject {
  owner?: string;
  name?: string;
  /** Groups that may grant it, beside administrators. */
  grantedBy?: readonly string[];
  /** Whose work it is: they may not grant it, whoever they are. */
  authors?: readonly string[];
  /** The caller answers for a part of it, by what CODEOWNERS says. */
  codeOwner?: boolean;
  /** The caller is on call for it now, whatever group they are in. */
  onCall?: boolean;
}

/** The local administrator: there from the first start. */
export const ADMINISTRATOR = "user:default/administrator";

/** An API token as its owner sees it. The token itself is shown once, when it is made. */
export const TokenInfo = z.object({
  id: z.string(),
  name: z.string(),
  person: z.string(),
  scopes: z.array(Scope),
  createdAt: z.coerce.date(),
  expiresAt: z.coerce.date(),
  lastUsedAt: z.coerce.date().nullable(),
  revokedAt: z.coerce.date().nullable(),
});
export type TokenInfo = z.infer<typeof TokenInfo>;

/** Who is calling, for the portal and `cairn login`. */
export const Me = z.object({
  principal: Principal,
  /** What a session must send as x-csrf-token with every change; null for tokens, which need none. */
  csrfToken: z.string().nullable(),
  expiresAt: z.coerce.date().nullable(),
});
export type Me = z.infer<typeof Me>;

/** What a sign-in link was redeemed for: a session (its cookie is in the answer's header) or a token. */
export const Redeemed = Me.extend({ token: z.string().nullable() });
export type Redeemed = z.infer<typeof Redeemed>;

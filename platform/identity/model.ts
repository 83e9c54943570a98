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

/** What identity asks about groups; the catalog answers. */
export interface Directory {
  groupsOf(user: string): Promise<string[]>;
}

/** Everything one can ask leave for. `subject` of a check says of what: owner group, author… */
export type Action =
  | "read"
  | "service.register"
  | "service.change"
  | "plan.make"
  | "plan.apply"
  | "repository.read"
  | "repository.push"
  | "change.open"
  | "change.approve"
  | "change.merge"
  | "release.act"
  | "secret.set"
  | "organisation.change"
  | "token.make"
  | "platform.administer";

/** Of what: the owner group of the entity concerned, where there is one. */
export interface Subject {
  owner?: string;
  name?: string;
}

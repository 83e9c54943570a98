import * as fc from "fast-check";
import { expect, test } from "vitest";
import { covers, decide, grants, groupRef, guards, SCOPE_OF } from "./access.ts";
import { Scope, systemPrincipal, type Action, type Principal } from "./model.ts";

const ACTIONS = Object.keys(SCOPE_OF) as Action[];
const someone = (overrides: Partial<Principal> = {}): Principal => ({
  ref: "user:default/ada",
  kind: "person",
  displayName: "Ada",
  scopes: ["read", "write"],
  groups: ["group:default/team-a"],
  administrator: false,
  ...overrides,
});
const administrator = someone({ ref: "user:default/administrator", scopes: ["read", "write", "admin"], groups: [], administrator: true });
const mine = { owner: "team-a", name: "orders" };
const theirs = { owner: "group:default/team-b", name: "carts" };

test.each<[string, Principal, Action, { owner?: string; name?: string }, string]>([
  ["a member of another group", someone(), "service.change", theirs, "denied-by-default"],
  ["a member of another group", someone(), "plan.apply", theirs, "denied-by-default"],
  ["a member of another group", someone(), "change.merge", theirs, "denied-by-default"],
  ["anybody, of what nobody owns", someone(), "release.act", {}, "denied-by-default"],
  ["a person", someone(), "organisation.change", {}, "scope-covers-action"],
  ["a person", someone(), "platform.administer", {}, "scope-covers-action"],
  ["a person with an admin scope but no administrator", someone({ scopes: ["admin"] }), "organisation.change", {}, "denied-by-default"],
  ["a person, for somebody else", someone(), "token.make", { owner: "user:default/grace" }, "denied-by-default"],
  ["a token that reads", someone({ kind: "token", scopes: ["read"] }), "service.change", mine, "scope-covers-action"],
  [
    "a token that writes",
    someone({ kind: "token", scopes: ["write"] }),
    "token.make",
    { owner: "user:default/ada" },
    "tokens-do-not-multiply",
  ],
  [
    "an administrator's token that writes",
    { ...administrator, kind: "token", scopes: ["write"] },
    "platform.administer",
    {},
    "scope-covers-action",
  ],
  ["a token without scope", someone({ kind: "token", scopes: [] }), "read", {}, "scope-covers-action"],
])("decide() refuses %s", (_who, principal, action, subject, rule) => {
  expect(decide(principal, action, subject)).toMatchObject({
    allowed: false,
    rule,
    because: expect.stringMatching(/./),
    next: expect.stringMatching(/./),
  });
});

test.each<[string, Principal, Action, { owner?: string; name?: string }, string]>([
  ["a member of the owner group, written short", someone(), "service.change", mine, "owners-change-their-own"],
  ["a member of the owner group, written in full", someone(), "change.merge", { owner: "Group:default/Team-A" }, "owners-change-their-own"],
  ["anybody", someone({ scopes: ["read"] }), "read", theirs, "everybody-reads"],
  ["anybody", someone(), "service.register", theirs, "everybody-proposes"],
  ["a person, for themselves", someone(), "token.make", { owner: "user:default/ada" }, "everybody-makes-own-tokens"],
  ["an administrator", administrator, "organisation.change", {}, "administrators-may"],
  ["an administrator, of what nobody owns", administrator, "service.change", {}, "administrators-may"],
  ["the platform", systemPrincipal("deliver-commit"), "release.act", theirs, "platform-acts-for-itself"],
])("decide() allows %s", (_who, principal, action, subject, rule) => {
  expect(decide(principal, action, subject)).toMatchObject({ allowed: true, rule });
});

const anyPrincipal: fc.Arbitrary<Principal> = fc.record({
  ref: fc.constantFrom("user:default/ada", "user:default/grace"),
  kind: fc.constantFrom("person", "token", "system"),
  displayName: fc.constant(""),
  scopes: fc.uniqueArray(fc.constantFrom(...Scope.options)),
  groups: fc.uniqueArray(fc.constantFrom("group:default/team-a", "group:default/team-b")),
  administrator: fc.boolean(),
});
const anySubject = fc.record({ owner: fc.constantFrom("team-a", "group:default/team-b", "user:default/ada") }, { requiredKeys: [] });
const shuffled = <T>(rules: readonly T[]) => fc.shuffledSubarray([...rules], { minLength: rules.length });

test("decide() comes to the same outcome in every order of the rules", () => {
  fc.assert(
    fc.property(
      anyPrincipal,
      fc.constantFrom(...ACTIONS),
      anySubject,
      shuffled(guards),
      shuffled(grants),
      (principal, action, subject, someGuards, someGrants) => {
        const inOrder = decide(principal, action, subject);
        expect(decide(principal, action, subject, { guards: someGuards, grants: someGrants }).allowed).toBe(inOrder.allowed);
      },
    ),
    { numRuns: 2000 },
  );
});

test("decide() never allows more with fewer scopes, fewer groups or without a grant", () => {
  fc.assert(
    fc.property(
      anyPrincipal,
      fc.constantFrom(...ACTIONS),
      anySubject,
      fc.subarray([...grants]),
      (principal, action, subject, someGrants) => {
        const less = { ...principal, scopes: principal.scopes.slice(1), groups: principal.groups.slice(1) };
        const before = decide(principal, action, subject).allowed;
        if (!before) expect(decide(principal, action, subject, { guards, grants: someGrants }).allowed).toBe(false);
        if (!before) expect(decide(less, action, subject).allowed).toBe(false);
      },
    ),
    { numRuns: 2000 },
  );
});

test("decide() allows nothing where there is no grant, and covers() widens downwards only", () => {
  for (const action of ACTIONS) expect(decide(administrator, action, mine, { guards: [], grants: [] }).allowed).toBe(false);
  expect(covers(["admin"], "read")).toBe(true);
  expect(covers(["read"], "write")).toBe(false);
  expect(covers([], "read")).toBe(false);
});

test("groupRef() writes a group in full", () => {
  expect(["team-a", "other/Team-A", "group:team-a", "user:default/ada"].map(groupRef)).toEqual([
    "group:default/team-a",
    "group:other/team-a",
    "group:default/team-a",
    "user:default/ada",
  ]);
});

test.each(["change.approve", "plan.approve"] as const)(
  "decide() refuses %s to whoever took part in it, to a token that one of them made, and to the platform",
  (action) => {
    const mineWithAuthors = { ...mine, authors: ["user:default/alan"] };
    expect(decide(someone(), action, mineWithAuthors)).toMatchObject({ allowed: true });
    for (const [who, because] of [
      [{ ...administrator, ref: "user:default/alan" }, "you took part in orders"],
      [someone({ kind: "token", ref: "user:default/alan" }), "you took part in orders"],
      [someone({ kind: "token", tokenBy: "user:default/alan" }), "user:default/alan made this token"],
    ] as const)
      expect(decide(who, action, mineWithAuthors)).toMatchObject({
        allowed: false,
        rule: "nobody-approves-their-own-work",
        because: expect.stringContaining(because),
      });
    expect(decide(systemPrincipal("deliver-commit"), action, mine)).toMatchObject({ allowed: false, rule: "people-approve" });
  },
);

test("decide() lets a code owner of another group approve a change of theirs, and nothing else", () => {
  expect(decide(someone(), "change.approve", { ...theirs, codeOwner: true })).toMatchObject({ allowed: true, rule: "code-owners-approve" });
  expect(decide(someone(), "change.approve", { ...theirs, codeOwner: false })).toMatchObject({ allowed: false });
  for (const action of ["change.merge", "plan.approve"] as const)
    expect(decide(someone(), action, { ...theirs, codeOwner: true })).toMatchObject({ allowed: false });
});

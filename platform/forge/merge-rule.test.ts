import { expect, test } from "vitest";
import type { ChangeRequest, Check, CheckState } from "./contract.ts";
import { isOwner, ownersOf } from "./code-owners.ts";
import { mergeRule as ruleOf, speaksFor, type MergeFacts } from "./merge-rule.ts";

/** As library/environments has it: tier-1 and tier-2 ask for a code owner. */
const mergeRule = (facts: Omit<MergeFacts, "needsCodeOwner">) => ruleOf({ ...facts, needsCodeOwner: facts.tier !== "tier-3" });
const now = new Date("2026-03-01T12:00:00Z");
const check = (name: string, state: CheckState): Check => ({ name, state, summary: "", details: [], link: null, updatedAt: now });
const aChange = (over: Partial<ChangeRequest> = {}): ChangeRequest => ({
  repository: "orders",
  number: 7,
  title: "Better",
  description: "",
  author: "user:default/ada",
  pushedBy: [],
  branch: "better",
  head: "a".repeat(40),
  base: "b".repeat(40),
  state: "open",
  mergeable: true,
  conflicts: [],
  result: "d".repeat(40),
  approvals: [],
  checks: [check("ci", "passed")],
  warnings: [],
  mergeCommit: null,
  createdAt: now,
  mergedAt: null,
  ...over,
});
const group = (approvedBy: string[] = [], owners = ["@team-a"]) => ({ owners, files: ["README.md"], fileCount: 1, approvedBy });
const approval = (by: string, commit = "a".repeat(40)) => ({ by, commit, result: "d".repeat(40), at: now, tokenBy: null });
const ada = "user:default/ada";
const grace = "user:default/grace";

test.each(["pending", "running", "failed", "unknown"] as const)(
  "mergeRule() refuses a check that is %s, whatever the tier, and names it",
  (state) => {
    for (const tier of ["tier-1", "tier-2", "tier-3"] as const)
      expect(
        mergeRule({
          tier,
          change: aChange({ checks: [check("ci", "passed"), check("policy", state)], approvals: [approval(grace)] }),
          codeOwners: [group([grace])],
          merger: grace,
        }),
      ).toMatchObject({
        allowed: false,
        code: "forge.checks_not_passed",
        because: expect.stringMatching(new RegExp(`policy is ${state}|policy failed`)),
      });
  },
);

test("mergeRule() refuses before any check has reported: unknown is not a pass", () => {
  expect(mergeRule({ tier: "tier-3", change: aChange({ checks: [] }), codeOwners: [], merger: ada })).toMatchObject({
    allowed: false,
    code: "forge.checks_missing",
  });
});

test("mergeRule() refuses conflicts, naming the files, and what is not open", () => {
  expect(
    mergeRule({ tier: "tier-3", change: aChange({ mergeable: false, conflicts: ["src/main.ts"] }), codeOwners: [], merger: ada }),
  ).toMatchObject({
    code: "forge.conflicts",
    because: expect.stringContaining("src/main.ts"),
  });
  for (const state of ["merged", "closed"] as const)
    expect(mergeRule({ tier: "tier-3", change: aChange({ state }), codeOwners: [], merger: ada })).toMatchObject({
      code: "forge.change_not_open",
    });
});

test.each(["tier-1", "tier-2"] as const)(
  "mergeRule() wants an owner's approval for every changed file of %s, and names who is asked",
  (tier) => {
    const change = aChange({ approvals: [approval(grace)] });
    expect(mergeRule({ tier, change, codeOwners: [group([grace]), group([], ["@security"])], merger: ada })).toMatchObject({
      allowed: false,
      code: "forge.approval_missing",
      because: expect.stringContaining("@security"),
    });
    expect(mergeRule({ tier, change, codeOwners: [group([grace])], merger: ada })).toMatchObject({ allowed: true, warnings: [] });
  },
);

test("mergeRule() lets the author of a tier-3 change merge alone, and warns of it; another's approval of the head takes the warning away", () => {
  const alone = { tier: "tier-3" as const, codeOwners: [group()], merger: ada };
  const warnings = [expect.stringContaining("author alone")];
  expect(mergeRule({ ...alone, change: aChange() })).toMatchObject({ allowed: true, warnings });
  expect(mergeRule({ ...alone, change: aChange({ approvals: [approval(grace, "c".repeat(40))] }) })).toMatchObject({
    allowed: true,
    warnings,
  });
  expect(mergeRule({ ...alone, change: aChange({ approvals: [approval(grace)] }) })).toMatchObject({ allowed: true, warnings: [] });
  expect(mergeRule({ ...alone, merger: grace, change: aChange({ checks: [check("scan", "warned")] }) })).toMatchObject({
    allowed: true,
    warnings: [expect.stringContaining("scan")],
  });
});

test("ownersOf() takes the last line that matches, as gitignore patterns that know case, and the repository's owner where none does", () => {
  const text = "# who\n*.md @docs\n/src/ @team-a @team-b # both\n/src/secret.ts\nDeep/** @deep\n/apps/* @apps\n";
  const owners = (file: string) => ownersOf(text, "group:default/owner", [file], [])[0]!.owners;
  expect(owners("README.md")).toEqual(["@docs"]);
  expect(owners("src/README.md")).toEqual(["@team-a", "@team-b"]);
  expect(owners("lib/src/x.ts")).toEqual(["group:default/owner"]);
  expect(owners("src/secret.ts")).toEqual(["group:default/owner"]);
  expect(owners("deep/x")).toEqual(["group:default/owner"]);
  expect(owners("Deep/x/y")).toEqual(["@deep"]);
  expect(owners("apps/a")).toEqual(["@apps"]);
  expect(owners("apps/a/b")).toEqual(["group:default/owner"]);
  expect(owners("a#b.md")).toEqual(["@docs"]);
  expect(owners("../x")).toEqual(["group:default/owner"]);
});

test("ownersOf() puts files of the same owners together, shows a hundred, and says which of them approved", () => {
  const text = "* @team-a\n/docs/ @docs @team-a\nspace\\ in\\ name @eve\n";
  const files = [...Array.from({ length: 150 }, (_, n) => `src/${n}.ts`), "docs/index.md", "space in name"];
  expect(ownersOf(text, "group:default/owner", files, [{ ref: "user:default/grace", groups: ["group:default/team-a"] }])).toMatchObject([
    { owners: ["@team-a"], fileCount: 150, files: { length: 100 }, approvedBy: ["user:default/grace"] },
    { owners: ["@docs", "@team-a"], files: ["docs/index.md"], approvedBy: ["user:default/grace"] },
    { owners: ["@eve"], files: ["space in name"], approvedBy: [] },
  ]);
});

test.each([
  ["@team-a", true],
  ["@default/team-a", true],
  ["group:default/team-a", true],
  ["group:team-a", true],
  ["team-a", true],
  ["@ada", true],
  ["user:default/ada", true],
  ["user:team-a", false],
  ["group:ada", false],
  ["@other/team-a", false],
  ["@team", false],
  ["ada@example.org", false],
  ["@", false],
  ["", false],
])("isOwner() takes %s for ada of team-a: %s", (owner, expected) => {
  expect(isOwner(owner, { ref: "user:default/ada", groups: ["group:default/team-a"] })).toBe(expected);
});

test.each([
  ["another head", { commit: "c".repeat(40) }, "of another head"],
  ["another result of the merge", { result: "e".repeat(40) }, "main has moved since"],
  ["an approval from before results were kept", { result: null }, "main has moved since"],
  ["the author", { by: ada }, "they took part in it"],
  ["whoever pushed to its branch", { by: "user:default/linus" }, "they took part in it"],
  ["a token that the author made for somebody else", { tokenBy: ada }, "by a token"],
  ["a token that one who pushed made for somebody else", { tokenBy: "user:default/linus" }, "by a token"],
])("speaksFor() does not count the approval of %s, and mergeRule() says why", (_, over, because) => {
  const given = { ...approval(grace), ...over };
  const change = aChange({ pushedBy: ["user:default/linus"], approvals: [given] });
  expect(speaksFor(given, change)).toBe(false);
  expect(speaksFor(approval(grace), change)).toBe(true);
  expect(mergeRule({ tier: "tier-1", change, codeOwners: [group()], merger: grace })).toMatchObject({
    allowed: false,
    code: "forge.approval_missing",
    because: expect.stringContaining(because),
  });
});

test("mergeRule() refuses a change of tier-1 for whose files nobody is named: no owner is not an approval", () => {
  const change = aChange({ approvals: [approval(grace)] });
  expect(mergeRule({ tier: "tier-1", change, codeOwners: [], merger: grace })).toMatchObject({ code: "forge.approval_missing" });
});

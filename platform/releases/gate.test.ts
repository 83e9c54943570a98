import { expect, test } from "vitest";
import { approvalObjection, gateOf, type GateFacts, type GivenApproval } from "./gate.ts";

const grace: GivenApproval = {
  by: "user:default/grace",
  at: "2026-03-01T12:00:00Z",
  tokenBy: null,
  groups: ["group:default/shop"],
  administrator: false,
};
const wanted = { owner: "group:default/shop", authors: ["user:default/ada", "user:default/alan"] };
const open = { open: true, heldBy: [], opensAt: new Date("2026-03-01T12:00:00Z") };
const frozen = {
  open: false,
  heldBy: [{ kind: "freeze" as const, name: "year-end", because: "nobody is there", until: new Date("2026-03-02T12:00:00Z") }],
  opensAt: new Date("2026-03-02T12:00:00Z"),
};
const gate = (over: Partial<GateFacts>) =>
  gateOf({
    environment: "production",
    plan: `sha256:${"a".repeat(64)}`,
    release: "rel-1",
    approval: wanted,
    approvals: [],
    opening: open,
    wayBackTo: null,
    passes: {},
    ...over,
  });

test("gateOf() waits for an approval where one is wanted, says whose and by which command, and for none where none is", () => {
  expect(gate({})).toMatchObject({
    openBy: [],
    heldBy: [
      {
        gate: "production-approval",
        because: expect.stringContaining("sha256:aaaaaaaaaaaa"),
        unblockedBy: "a member of group:default/shop or an administrator, except user:default/ada, user:default/alan: cairn approve rel-1",
        until: null,
      },
    ],
  });
  expect(gate({ approvals: [grace] })).toMatchObject({ heldBy: [], openBy: ["approved by user:default/grace"] });
  expect(gate({ approval: null })).toEqual({ heldBy: [], openBy: [], passedBy: [] });
});

test.each([
  ["the author", { by: "user:default/ada" }, "took part"],
  ["whoever pushed to its branch", { by: "user:default/alan" }, "took part"],
  ["a token that the author made for somebody else", { tokenBy: "user:default/ada" }, "token that user:default/ada made"],
  ["someone who has left the group since", { groups: [] }, "not a member of group:default/shop now"],
  ["a member of another group", { groups: ["group:default/pay"] }, "not a member"],
  ["the platform", { by: "system:deliver", administrator: true }, "only a person"],
])("approvalObjection() does not count %s", (_, over, because) => {
  expect(approvalObjection(wanted, { ...grace, ...over })).toContain(because);
  expect(gate({ approvals: [{ ...grace, ...over }] }).heldBy).toMatchObject([{ because: expect.stringContaining(because) }]);
});

test("approvalObjection() counts a member of the owner, by whatever way the owner is written, and an administrator", () => {
  expect(approvalObjection(wanted, grace)).toBeUndefined();
  expect(approvalObjection({ ...wanted, owner: "Shop" }, grace)).toBeUndefined();
  expect(approvalObjection(wanted, { ...grace, groups: [], administrator: true })).toBeUndefined();
  expect(approvalObjection(wanted, { ...grace, tokenBy: "user:default/administrator" })).toBeUndefined();
});

test("gateOf() waits for both, an approval and a window, and says when the window opens", () => {
  expect(gate({ opening: frozen }).heldBy).toMatchObject([{ gate: "production-approval" }, { gate: "windows", until: frozen.opensAt }]);
  expect(gate({ opening: frozen, approvals: [grace] }).heldBy).toMatchObject([
    { gate: "windows", because: expect.stringContaining("year-end"), unblockedBy: expect.stringContaining("2026-03-02T12:00:00.000Z") },
  ]);
});

test("gateOf() lets the way back through a freeze, and still asks for the approval of it", () => {
  expect(gate({ opening: frozen, approval: null, wayBackTo: "rel-0" })).toMatchObject({
    heldBy: [],
    openBy: [expect.stringContaining("rel-0")],
  });
  expect(gate({ opening: frozen, wayBackTo: "rel-0" }).heldBy).toMatchObject([{ gate: "production-approval" }]);
});

test("gateOf() lets a break-glass pass what it names and nothing else, and says what would have held it", () => {
  const passed = gate({ opening: frozen, passes: { windows: "bg-1" } });
  expect(passed.heldBy).toMatchObject([{ gate: "production-approval" }]);
  expect(passed.passedBy).toEqual(["bg-1"]);
  expect(passed.openBy).toEqual([expect.stringMatching(/windows: passed by break-glass bg-1; it would have waited: .*year-end/)]);
  expect(gate({ opening: frozen, passes: { windows: "bg-1", "production-approval": "bg-1" } }).heldBy).toEqual([]);
});

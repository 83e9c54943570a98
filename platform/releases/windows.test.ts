import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applying, openAt, stretchesOf, WindowRule } from "./windows.ts";

const rule = (over: Partial<WindowRule>): WindowRule =>
  WindowRule.parse({ kind: "window", name: "hours", because: "people are there", timeZone: "Europe/Berlin", ...over });
const everyDay = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const daily = (from: string, until: string, over: Partial<WindowRule> = {}) =>
  rule({ weekly: [{ days: [...everyDay], from, until }], ...over });
const at = (instant: string) => new Date(instant);
const isOpen = (rules: WindowRule[], instant: string) => openAt(rules, at(instant)).open;

test.each([
  ["no time at all", { weekly: [], dates: [] }, "it says no time"],
  [
    "a time zone that is none",
    { timeZone: "Mars/Olympus", weekly: [{ days: ["mon"], from: "09:00", until: "17:00" }] },
    "no such time zone",
  ],
  ["an offset in place of a zone", { timeZone: "+02:00", weekly: [{ days: ["mon"], from: "09:00", until: "17:00" }] }, "no such time zone"],
  ["an hour that is none", { weekly: [{ days: ["mon"], from: "9:00", until: "25:00" }] }, "09:00"],
  ["a day that is none", { weekly: [{ days: ["monday"], from: "09:00", until: "17:00" }] }, "days"],
  ["a date that is none", { dates: [{ from: "2026-02-30T00:00", until: "2026-03-02T00:00" }] }, "2026-12-18T18:00"],
  ["a date with an offset", { dates: [{ from: "2026-02-03T00:00Z", until: "2026-03-02T00:00" }] }, "without an offset"],
  ["an end before its beginning", { dates: [{ from: "2026-03-02T00:00", until: "2026-03-01T00:00" }] }, "ends before it begins"],
  ["a word that it does not know", { weekly: [{ days: ["mon"], from: "09:00", until: "17:00" }], services: ["x"], server: "y" }, "server"],
])("WindowRule refuses %s", (_, over, because) => {
  const parsed = WindowRule.safeParse({ kind: "window", name: "hours", because: "why", timeZone: "Europe/Berlin", ...over });
  expect(parsed.success).toBe(false);
  expect(JSON.stringify(parsed.error?.issues)).toContain(because);
});

test("openAt() lets a release begin at any hour where no window is declared, and in none where all have passed", () => {
  expect(openAt([], at("2026-03-01T03:00:00Z"))).toEqual({ open: true, heldBy: [], opensAt: at("2026-03-01T03:00:00Z") });
  const past = rule({ dates: [{ from: "2025-01-01T00:00", until: "2025-02-01T00:00" }] });
  expect(openAt([past], at("2026-03-01T03:00:00Z"))).toMatchObject({
    open: false,
    opensAt: null,
    heldBy: [{ name: "hours", until: null }],
  });
});

test("openAt() counts hours on the wall of the named zone, from their beginning until just before their end", () => {
  const office = rule({ weekly: [{ days: ["mon", "tue", "wed", "thu"], from: "09:00", until: "16:00" }] });
  expect(isOpen([office], "2026-03-02T07:59:59.999Z")).toBe(false);
  expect(isOpen([office], "2026-03-02T08:00:00.000Z")).toBe(true);
  expect(isOpen([office], "2026-03-02T14:59:59.999Z")).toBe(true);
  expect(isOpen([office], "2026-03-02T15:00:00.000Z")).toBe(false);
  expect(openAt([office], at("2026-03-05T15:00:00Z"))).toMatchObject({ open: false, opensAt: at("2026-03-09T08:00:00Z") });
  expect(isOpen([{ ...office, timeZone: "Asia/Kolkata" }], "2026-03-02T03:30:00.000Z")).toBe(true);
});

test("hours that end before they begin end on the next day, those of the last day of the week on Monday", () => {
  const night = rule({ weekly: [{ days: ["sun"], from: "22:00", until: "04:00" }] });
  expect(isOpen([night], "2026-03-01T20:59:59Z")).toBe(false);
  expect(isOpen([night], "2026-03-01T21:00:00Z")).toBe(true);
  expect(isOpen([night], "2026-03-02T02:59:59Z")).toBe(true);
  expect(isOpen([night], "2026-03-02T03:00:00Z")).toBe(false);
  expect(isOpen([daily("00:00", "24:00")], "2026-03-01T23:00:00Z")).toBe(true);
});

test("a freeze wins over a window, and what opens next is when both let it", () => {
  const freeze = rule({ kind: "freeze", name: "year-end", dates: [{ from: "2026-12-18T12:00", until: "2027-01-04T12:00" }] });
  const office = daily("09:00", "16:00");
  expect(openAt([office, freeze], at("2026-12-18T12:00:00Z"))).toMatchObject({
    open: false,
    heldBy: [{ kind: "freeze", name: "year-end", until: at("2027-01-04T11:00:00Z") }],
    opensAt: at("2027-01-04T11:00:00Z"),
  });
  expect(
    openAt([office, { ...freeze, dates: [{ from: "2026-12-18T12:00", until: "2027-01-04T20:00" }] }], at("2026-12-20T01:00:00Z")),
  ).toMatchObject({
    heldBy: [{ name: "year-end" }, { name: "hours" }],
    opensAt: at("2027-01-05T08:00:00Z"),
  });
});

describe("when the clocks go forward (Berlin, 29 March 2026, 02:00 becomes 03:00)", () => {
  test("hours keep their place on the wall: the same time is an hour earlier in UTC", () => {
    const office = daily("09:00", "16:00");
    expect(isOpen([office], "2026-03-28T08:00:00Z")).toBe(true);
    expect(isOpen([office], "2026-03-28T07:00:00Z")).toBe(false);
    expect(isOpen([office], "2026-03-29T07:00:00Z")).toBe(true);
    expect(isOpen([office], "2026-03-29T14:00:00Z")).toBe(false);
    expect(openAt([office], at("2026-03-28T20:00:00Z")).opensAt).toEqual(at("2026-03-29T07:00:00Z"));
  });
  test("hours that the clocks skip don't open a window that day, and open it the next", () => {
    const small = daily("02:00", "02:45");
    expect(isOpen([small], "2026-03-28T01:15:00Z")).toBe(true);
    for (const instant of ["00:15", "00:59", "01:00", "01:30", "02:15"]) expect(isOpen([small], `2026-03-29T${instant}:00Z`)).toBe(false);
    expect(isOpen([small], "2026-03-30T00:15:00Z")).toBe(true);
  });
  test("a freeze that begins at a time that is skipped begins before it, and one that ends there ends after it", () => {
    const begins = rule({ kind: "freeze", dates: [{ from: "2026-03-29T02:30", until: "2026-03-30T00:00" }] });
    expect(isOpen([begins], "2026-03-29T00:29:59Z")).toBe(true);
    expect(isOpen([begins], "2026-03-29T00:30:00Z")).toBe(false);
    const ends = rule({ kind: "freeze", dates: [{ from: "2026-03-28T00:00", until: "2026-03-29T02:30" }] });
    expect(isOpen([ends], "2026-03-29T01:29:59Z")).toBe(false);
    expect(isOpen([ends], "2026-03-29T01:30:00Z")).toBe(true);
  });
});

describe("when the clocks go back (Berlin, 25 October 2026, 03:00 becomes 02:00)", () => {
  test("hours keep their place on the wall: the same time is an hour later in UTC", () => {
    const office = daily("09:00", "16:00");
    expect(isOpen([office], "2026-10-24T07:00:00Z")).toBe(true);
    expect(isOpen([office], "2026-10-25T07:00:00Z")).toBe(false);
    expect(isOpen([office], "2026-10-25T08:00:00Z")).toBe(true);
    expect(isOpen([office], "2026-10-25T14:59:59Z")).toBe(true);
  });
  test("a window that ends in the hour shown twice ends at the first time, a freeze at the second", () => {
    const window = rule({ dates: [{ from: "2026-10-24T00:00", until: "2026-10-25T02:30" }] });
    expect(isOpen([window], "2026-10-25T00:29:59Z")).toBe(true);
    expect(isOpen([window], "2026-10-25T00:30:00Z")).toBe(false);
    expect(isOpen([window], "2026-10-25T01:15:00Z")).toBe(false);
    const freeze: WindowRule = { ...window, kind: "freeze" };
    expect(isOpen([freeze], "2026-10-25T00:30:00Z")).toBe(false);
    expect(isOpen([freeze], "2026-10-25T01:29:59Z")).toBe(false);
    expect(isOpen([freeze], "2026-10-25T01:30:00Z")).toBe(true);
  });
  test("a window that begins in it begins at the second, a freeze at the first", () => {
    const window = rule({ dates: [{ from: "2026-10-25T02:30", until: "2026-10-26T00:00" }] });
    expect(isOpen([window], "2026-10-25T00:30:00Z")).toBe(false);
    expect(isOpen([window], "2026-10-25T01:30:00Z")).toBe(true);
    expect(isOpen([{ ...window, kind: "freeze" }], "2026-10-25T00:30:00Z")).toBe(false);
  });
});

test("a zone where the clocks go the other way round, and one that moves by half an hour", () => {
  const office = daily("09:00", "10:00", { timeZone: "Australia/Sydney" });
  expect(isOpen([office], "2026-04-03T22:00:00Z")).toBe(true);
  expect(isOpen([office], "2026-04-04T22:00:00Z")).toBe(false);
  expect(isOpen([office], "2026-04-04T23:00:00Z")).toBe(true);
  const lordHowe = daily("09:00", "10:00", { timeZone: "Australia/Lord_Howe" });
  expect(isOpen([lordHowe], "2026-04-03T22:00:00Z")).toBe(true);
  expect(isOpen([lordHowe], "2026-04-04T22:29:59Z")).toBe(false);
  expect(isOpen([lordHowe], "2026-04-04T22:30:00Z")).toBe(true);
});

test("applying() takes freezes alone for a tier that is bound by them alone, and what names environment, service or team", () => {
  const release = { environment: "production", production: true, service: "orders", owner: "group:default/shop" };
  const all = { ...release, kinds: ["windows", "freezes"] as const };
  const window = daily("09:00", "10:00");
  const freeze: WindowRule = { ...window, kind: "freeze" };
  expect(applying([window, freeze], all)).toEqual([window, freeze]);
  expect(applying([window, freeze], { ...all, kinds: ["freezes"] })).toEqual([freeze]);
  expect(applying([window], { ...all, environment: "staging", production: false })).toEqual([]);
  const staging: WindowRule = { ...window, environments: ["staging"] };
  expect(applying([staging], { ...all, environment: "staging", production: false })).toEqual([staging]);
  expect(applying([staging], all)).toEqual([]);
  expect(applying([{ ...window, services: ["billing"] }], all)).toEqual([]);
  expect(applying([{ ...window, services: ["billing"], teams: ["shop"] }], all)).toHaveLength(1);
  expect(applying([{ ...window, teams: ["group:default/Pay"] }], { ...all, owner: "pay" })).toHaveLength(1);
});

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Africa/Casablanca",
];
const minutes = fc
  .integer({ min: 0, max: 24 * 60 - 1 })
  .map((n) => `${String(Math.floor(n / 60)).padStart(2, "0")}:${String(n % 60).padStart(2, "0")}`);
const instants = fc
  .integer({ min: Date.UTC(2024, 0, 1) / 60_000, max: Date.UTC(2028, 0, 1) / 60_000 })
  .map((minute) => new Date(minute * 60_000));
const someWeekly = fc.record({ days: fc.uniqueArray(fc.constantFrom(...everyDay), { minLength: 1 }), from: minutes, until: minutes });
const someDates = fc.tuple(instants, fc.integer({ min: 1, max: 40 * 24 * 60 })).map(([from, length]) => ({
  from: from.toISOString().slice(0, 16),
  until: new Date(from.getTime() + length * 60_000).toISOString().slice(0, 16),
}));
const someRule = fc
  .record({
    kind: fc.constantFrom("window" as const, "freeze" as const),
    timeZone: fc.constantFrom(...zones),
    weekly: fc.array(someWeekly, { maxLength: 2 }),
    dates: fc.array(someDates, { maxLength: 2 }),
  })
  .filter(({ weekly, dates }) => weekly.length + dates.length > 0)
  .map((over, n = 0) => rule({ ...over, name: `r${n}` }));

test("openAt() says the same as the clock on the wall, as Intl shows it, wherever that shows no hour twice and skips none that day", () => {
  const format = new Map(
    zones.map((zone) => [
      zone,
      new Intl.DateTimeFormat("en-GB", {
        timeZone: zone,
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
        hourCycle: "h23",
        timeZoneName: "longOffset",
      }),
    ]),
  );
  const shown = (zone: string, instant: number) =>
    Object.fromEntries(
      format
        .get(zone)!
        .formatToParts(instant)
        .map(({ type, value }) => [type, value]),
    );
  fc.assert(
    fc.property(fc.constantFrom(...zones), someWeekly, instants, (zone, hours, now) => {
      const offsets = [-2, -1, 0, 1, 2].map((days) => shown(zone, now.getTime() + days * 86_400_000)["timeZoneName"]);
      fc.pre(new Set(offsets).size === 1);
      const { weekday, hour, minute } = shown(zone, now.getTime());
      const today = everyDay.indexOf(weekday!.slice(0, 3).toLowerCase() as "mon");
      const time = `${hour}:${minute}`;
      const overnight = hours.until <= hours.from;
      const on = (day: number) => hours.days.includes(everyDay[(day + 7) % 7]!);
      const expected = overnight
        ? (on(today) && time >= hours.from) || (on(today - 1) && time < hours.until)
        : on(today) && hours.from <= time && time < hours.until;
      expect(openAt([rule({ timeZone: zone, weekly: [hours] })], now).open).toBe(expected);
    }),
    { seed: 1, numRuns: 400 },
  );
});

test("openAt() names as next opening the first instant that is open: it is open then, and at no instant before", () => {
  fc.assert(
    fc.property(fc.array(someRule, { maxLength: 3 }), instants, fc.double({ min: 0, max: 1, noNaN: true }), (rules, now, share) => {
      const { open, opensAt, heldBy } = openAt(rules, now);
      expect(open).toBe(heldBy.length === 0);
      if (opensAt === null) return;
      expect(openAt(rules, opensAt).open).toBe(true);
      if (open) expect(opensAt).toEqual(now);
      else {
        const between = new Date(now.getTime() + Math.floor((opensAt.getTime() - now.getTime()) * share));
        if (between < opensAt) expect(openAt(rules, between).open).toBe(false);
        expect(openAt(rules, new Date(opensAt.getTime() - 1)).open).toBe(false);
      }
    }),
    { seed: 1, numRuns: 120 },
  );
});

test("one more freeze never opens what was closed; one more window, beside another, never closes what was open", () => {
  fc.assert(
    fc.property(fc.array(someRule, { maxLength: 3 }), someRule, instants, (rules, more, now) => {
      const [before, after] = [openAt(rules, now).open, openAt([...rules, more], now).open];
      if (more.kind === "freeze") expect(after && !before).toBe(false);
      else if (rules.some(({ kind }) => kind === "window")) expect(before && !after).toBe(false);
    }),
    { seed: 1, numRuns: 120 },
  );
});

test("stretchesOf() gives a week of daily hours seven stretches, in order and without overlap", () => {
  const from = Date.UTC(2026, 2, 2);
  const found = stretchesOf(daily("09:00", "16:00"), from, from + 7 * 86_400_000 - 1);
  expect(found).toHaveLength(7);
  for (const [n, { start, end }] of found.entries()) {
    expect(end).toBeGreaterThan(start);
    if (n > 0) expect(start).toBeGreaterThan(found[n - 1]!.end);
  }
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Rotation } from "../catalog/rotation.ts";
import { nextOnCall, onCallAt } from "./on-call.ts";

const GROUP = "group:default/shop";
const ada = "user:default/ada";
const bob = "user:default/bob";
const eve = "user:default/eve";
const aRotation = (over: Partial<Rotation> = {}): Rotation => ({
  name: "shop",
  title: "Shop",
  group: GROUP,
  timeZone: "Europe/Berlin",
  start: "2026-01-05T09:00",
  frequency: "weekly",
  interval: 1,
  members: [ada, bob, eve],
  overrides: [],
  escalation: null,
  ...over,
});
const at = (instant: string) => new Date(instant);
const who = (rotation: Rotation, instant: string, members = [ada, bob, eve]) => onCallAt(GROUP, rotation, members, at(instant)).people;

test("onCallAt() hands over at the hour on the wall, in winter and in summer", () => {
  const rotation = aRotation();
  // Monday 09:00 in Berlin is 08:00 UTC in winter.
  expect(who(rotation, "2026-01-12T07:59:59Z")).toEqual([ada]);
  expect(who(rotation, "2026-01-12T08:00:00Z")).toEqual([bob]);
  // The clocks go forward on 29 March: from then on it is 07:00 UTC. The week of that Sunday is an hour shorter.
  expect(onCallAt(GROUP, rotation, [ada, bob, eve], at("2026-03-28T12:00:00Z"))).toMatchObject({
    people: [eve],
    until: at("2026-03-30T07:00:00Z"),
    next: [ada],
  });
  expect(who(rotation, "2026-03-30T06:59:59Z")).toEqual([eve]);
  expect(who(rotation, "2026-03-30T07:00:00Z")).toEqual([ada]);
  // And back on 25 October.
  expect(onCallAt(GROUP, rotation, [ada, bob, eve], at("2026-10-24T12:00:00Z"))).toMatchObject({ until: at("2026-10-26T08:00:00Z") });
});

test("onCallAt() reads a handover at an hour that the clocks skip as one later, and at one that they show twice as the first", () => {
  const daily = aRotation({ frequency: "daily", start: "2026-03-27T02:30", members: [ada, bob] });
  expect(onCallAt(GROUP, daily, [ada, bob], at("2026-03-28T12:00:00Z"))).toMatchObject({
    people: [bob],
    until: at("2026-03-29T01:30:00Z"),
    next: [ada],
  });
  const autumn = aRotation({ frequency: "daily", start: "2026-10-23T02:30", members: [ada, bob] });
  expect(onCallAt(GROUP, autumn, [ada, bob], at("2026-10-24T12:00:00Z"))).toMatchObject({
    people: [bob],
    until: at("2026-10-25T00:30:00Z"),
    next: [ada],
  });
});

test("onCallAt() passes over who left the group, and lets all of it be on call where nobody of the rotation is left, where it has not begun, and where there is none", () => {
  const rotation = aRotation();
  expect(onCallAt(GROUP, rotation, [bob, eve], at("2026-01-06T12:00:00Z"))).toMatchObject({
    people: [bob],
    because: `stands in for ${ada}, who is not in the group any more`,
  });
  const new1 = "user:default/new";
  expect(onCallAt(GROUP, rotation, [new1], at("2026-01-06T12:00:00Z"))).toMatchObject({
    people: [new1],
    because: expect.stringContaining("all of it"),
  });
  expect(onCallAt(GROUP, rotation, [bob, ada], at("2026-01-05T07:59:59Z"))).toMatchObject({
    people: [ada, bob],
    until: at("2026-01-05T08:00:00Z"),
    next: [ada],
  });
  expect(onCallAt(GROUP, undefined, [bob, ada], at("2026-01-06T12:00:00Z"))).toMatchObject({
    rotation: null,
    people: [ada, bob],
    because: "the group has no rotation, so all of it is on call",
  });
  expect(onCallAt(GROUP, rotation, [], at("2026-01-06T12:00:00Z"))).toMatchObject({ people: [], because: "nobody is in the group" });
});

test("onCallAt() lets somebody stand in for a while: the last one named, if they are in the group", () => {
  const rotation = aRotation({
    overrides: [
      { person: eve, from: "2026-01-06T09:00", until: "2026-01-08T09:00" },
      { person: bob, from: "2026-01-07T09:00", until: "2026-01-07T18:00" },
      { person: "user:default/gone", from: "2026-01-06T09:00", until: "2026-01-20T09:00" },
    ],
  });
  expect(onCallAt(GROUP, rotation, [ada, bob, eve], at("2026-01-05T12:00:00Z"))).toMatchObject({
    people: [ada],
    until: at("2026-01-06T08:00:00Z"),
    next: [eve],
  });
  expect(who(rotation, "2026-01-06T12:00:00Z")).toEqual([eve]);
  expect(who(rotation, "2026-01-07T12:00:00Z")).toEqual([bob]);
  expect(who(rotation, "2026-01-07T17:00:00Z")).toEqual([eve]);
  expect(who(rotation, "2026-01-08T08:00:00Z")).toEqual([ada]);
});

test("nextOnCall() goes on in the order of the rotation, past who was told and who left", () => {
  const rotation = aRotation();
  const now = at("2026-01-13T12:00:00Z"); // bob's week
  expect(nextOnCall(rotation, [ada, bob, eve], [bob], now)).toBe(eve);
  expect(nextOnCall(rotation, [ada, bob], [bob], now)).toBe(ada);
  expect(nextOnCall(rotation, [ada, bob, eve], [bob, eve, ada], now)).toBeUndefined();
  expect(nextOnCall(undefined, [ada], [], now)).toBeUndefined();
});

test("whoever onCallAt() names is in the group, and nobody else is before the instant that it gives", () => {
  const zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"];
  const rotations = fc.record({
    timeZone: fc.constantFrom(...zones),
    start: fc.constantFrom("2025-10-20T02:30", "2026-01-05T09:00", "2026-03-02T00:00"),
    frequency: fc.constantFrom("daily" as const, "weekly" as const),
    interval: fc.integer({ min: 1, max: 3 }),
    members: fc.shuffledSubarray([ada, bob, eve], { minLength: 1 }),
  });
  const groups = fc.subarray([ada, bob, eve], { minLength: 1 });
  const instants = fc.integer({ min: at("2026-03-03T00:00:00Z").getTime(), max: at("2027-12-31T00:00:00Z").getTime() });
  fc.assert(
    fc.property(rotations, groups, instants, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (over, members, now, part) => {
      const rotation = aRotation(over);
      const found = onCallAt(GROUP, rotation, members, new Date(now));
      expect(members).toEqual(expect.arrayContaining(found.people));
      if (!found.until) return;
      expect(found.until.getTime()).toBeGreaterThan(now);
      const between = new Date(Math.min(found.until.getTime() - 1, Math.floor(now + part * (found.until.getTime() - now))));
      expect(onCallAt(GROUP, rotation, members, between).people).toEqual(found.people);
      expect(onCallAt(GROUP, rotation, members, found.until).people).toEqual(found.next);
    }),
    { seed: 18, numRuns: 60 },
  );
});

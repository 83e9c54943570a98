import fc from "fast-check";
import { expect, test } from "vitest";
import { ORDERS, aReading, anObservation } from "./a-reading.ts";
import { countsOf, deltasOf, type Cursor } from "./counters.ts";

const at = (text: string): Date => new Date(`2026-03-01T${text}Z`);
const cursor = (given: Partial<Cursor> & { requests: number }): Cursor => ({
  ...ORDERS,
  revision: "aaaaaaaaaaaa",
  epoch: "first",
  at: at("12:00:00"),
  ...countsOf(aReading(given)),
  ...given,
});

test("deltasOf() gives what the counters grew by, in the minute in which the interval began", () => {
  const [delta] = deltasOf(
    anObservation(at("12:01:00.020"), [aReading({ requests: 130, errors: 7 })]),
    [cursor({ requests: 100, errors: 5 })],
    undefined,
  );
  expect(delta).toMatchObject({ requests: 30, errors: 2, from: at("12:00:00"), until: at("12:01:00.020"), isGap: false, resets: 0 });
});

test("deltasOf() gives nothing for a reading that it knows already, or one that is older", () => {
  const known = [cursor({ requests: 100, at: at("12:00:30") })];
  expect(deltasOf(anObservation(at("12:00:30"), [aReading({ requests: 100 })]), known, undefined)).toEqual([]);
  expect(deltasOf(anObservation(at("12:00:20"), [aReading({ requests: 90 })]), known, undefined)).toEqual([]);
  expect(deltasOf(anObservation(at("12:00:40"), [aReading({ requests: 90 })]), known, undefined)).toEqual([]);
});

test("deltasOf() counts another epoch from zero, and tells that something before it may be lost", () => {
  const [delta] = deltasOf(
    anObservation(at("12:00:15"), [aReading({ epoch: "second", requests: 3 })]),
    [cursor({ requests: 100 })],
    undefined,
  );
  expect(delta).toMatchObject({ requests: 3, resets: 1 });
});

test("deltasOf() gives one gap for the time in which nobody looked, also where nothing was counted", () => {
  const away = deltasOf(anObservation(at("12:40:10"), [aReading({ requests: 5100 })]), [cursor({ requests: 100 })], undefined);
  expect(away).toMatchObject([{ requests: 5000, from: at("12:00:00"), until: at("12:40:10"), isGap: true }]);
  const idle = deltasOf(anObservation(at("12:40:10"), [aReading({ requests: 100 })]), [cursor({ requests: 100 })], undefined);
  expect(idle).toMatchObject([{ requests: 0, isGap: true }]);
});

test("deltasOf() counts a revision that is new from the last look at its target, and a target that is new from its start", () => {
  const seen = { ...ORDERS, seenAt: at("12:00:00") };
  expect(deltasOf(anObservation(at("12:00:15"), [aReading({ requests: 4 })]), [], seen)).toMatchObject([
    { from: at("12:00:00"), isGap: false },
  ]);
  expect(deltasOf(anObservation(at("12:00:15"), [aReading({ requests: 4 })]), [], undefined)).toMatchObject([
    { from: at("11:00:00"), isGap: true },
  ]);
});

test("what deltasOf() gives sums to what the counters grew by, however often and late one looks", () => {
  const step = fc.record({
    requests: fc.nat(1000),
    errorShare: fc.double({ min: 0, max: 1, noNaN: true }),
    seconds: fc.integer({ min: 1, max: 4000 }),
    reset: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
      let [now, requests, errors, epoch, grown, failed] = [at("12:00:00").getTime(), 0, 0, 0, 0, 0];
      let known: Cursor[] = [cursor({ requests: 0, epoch: "0", at: new Date(now) })];
      let [sum, sumErrors] = [0, 0];
      for (const one of steps) {
        if (one.reset) [requests, errors, epoch] = [0, 0, epoch + 1];
        const bad = Math.floor(one.requests * one.errorShare);
        [requests, errors, grown, failed, now] = [
          requests + one.requests,
          errors + bad,
          grown + one.requests,
          failed + bad,
          now + one.seconds * 1000,
        ];
        const reading = aReading({ requests, errors, epoch: String(epoch) });
        const observation = anObservation(new Date(now), [reading]);
        for (const delta of deltasOf(observation, known, undefined)) [sum, sumErrors] = [sum + delta.requests, sumErrors + delta.errors];
        known = [{ ...ORDERS, revision: reading.revision, epoch: reading.epoch, at: new Date(now), ...countsOf(reading) }];
        expect(deltasOf(observation, known, undefined)).toEqual([]);
      }
      expect([sum, sumErrors]).toEqual([grown, failed]);
    }),
  );
});

import { Temporal } from "temporal-polyfill";
import { z } from "zod";

/** A date and time on the wall, as files say them: which instant that is, a time zone beside it says. */
export const localTime = z
  .string()
  .refine(
    (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) && exists(() => Temporal.PlainDateTime.from(text)),
    "write 2026-12-18T18:00, without an offset: the time zone is named beside it",
  );

/** The name of a time zone in the IANA database. */
export const timeZone = z
  .string()
  .refine(
    (zone) => /^[A-Za-z]/.test(zone) && exists(() => Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)),
    "the IANA database has no such time zone: write Europe/Berlin, or UTC",
  );

function exists(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch {
    return false;
  }
}

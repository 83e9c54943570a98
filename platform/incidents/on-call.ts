import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import type { Rotation } from "../catalog/rotation.ts";

/** Who is on call for a group at an instant. */
export const OnCall = z
  .object({
    /** Reference of the group whose services they answer for. */
    group: z.string(),
    /** Name of the rotation; null where there is none: then everybody in the group is on call. */
    rotation: z.string().nullable(),
    /** References of people who are in the group now. */
    people: z.array(z.string()),
    because: z.string(),
    /** When somebody else is; null where nobody knows. */
    until: z.coerce.date().nullable(),
    /** Who is then. */
    next: z.array(z.string()),
  })
  .meta({ id: "OnCall" });
export type OnCall = z.infer<typeof OnCall>;

/** How many handovers and ends of overrides the search for the next person looks past. */
const MOST_EDGES = 400;

/**
 * Who is on call, from a group's rotation and from who is in the group now: whoever left it is passed over, and the next one stands in. Where there is no
 * rotation, or nobody of it is left, everybody in the group is. Handovers are at an hour on the wall; one that the clocks skip is as much later.
 */
export function onCallAt(group: string, rotation: Rotation | undefined, members: readonly string[], now: Date): OnCall {
  const everybody = (because: string, until: Date | null = null, next: string[] = []): OnCall => {
    const people = members.toSorted();
    return { group, rotation: rotation?.name ?? null, people, because, until, next };
  };
  if (members.length === 0) return everybody("nobody is in the group");
  if (!rotation) return everybody("the group has no rotation, so all of it is on call");
  const at = now.getTime();
  const begins = handover(rotation, 0);
  if (at < begins) {
    const first = personAt(rotation, members, begins);
    return everybody("its rotation has not begun, so all of the group is on call", new Date(begins), first ? [first.ref] : []);
  }
  const person = personAt(rotation, members, at);
  if (!person) return everybody("nobody of the rotation is in the group any more, so all of it is on call");
  const change = nextChange(rotation, members, at, person.ref);
  return {
    group,
    rotation: rotation.name,
    people: [person.ref],
    because: person.because,
    until: change ? new Date(change.at) : null,
    next: change ? [change.ref] : [],
  };
}

/** Who comes after those who were told, in the order of the rotation; undefined where nobody is left. Without a rotation nobody does. */
export function nextOnCall(
  rotation: Rotation | undefined,
  members: readonly string[],
  told: readonly string[],
  now: Date,
): string | undefined {
  if (!rotation) return undefined;
  const turn = turnAt(rotation, now.getTime());
  const inOrder = rotation.members.map((_, n) => rotation.members[modulo(turn + n, rotation.members.length)]!);
  return inOrder.find((ref) => members.includes(ref) && !told.includes(ref));
}

function personAt(rotation: Rotation, members: readonly string[], at: number): { ref: string; because: string } | undefined {
  const instead = rotation.overrides.findLast(
    ({ person, from, until }) => members.includes(person) && instantOf(rotation, from) <= at && at < instantOf(rotation, until),
  );
  if (instead) return { ref: instead.person, because: `stands in until ${instead.until} (${rotation.timeZone})` };
  const turn = turnAt(rotation, at);
  const count = rotation.members.length;
  for (let n = 0; n < count; n++) {
    const ref = rotation.members[modulo(turn + n, count)]!;
    if (!members.includes(ref)) continue;
    const left = rotation.members[modulo(turn, count)]!;
    return { ref, because: n === 0 ? `has the turn in ${rotation.name}` : `stands in for ${left}, who is not in the group any more` };
  }
  return undefined;
}

/** When somebody else is on call, and who. */
function nextChange(rotation: Rotation, members: readonly string[], after: number, now: string): { at: number; ref: string } | undefined {
  let at = after;
  for (let looked = 0; looked < MOST_EDGES; looked++) {
    const edges = rotation.overrides.flatMap(({ from, until }) => [instantOf(rotation, from), instantOf(rotation, until)]);
    at = Math.min(handover(rotation, turnAt(rotation, at) + 1), ...edges.filter((edge) => edge > at));
    const then = personAt(rotation, members, at);
    if (then && then.ref !== now) return { at, ref: then.ref };
  }
  return undefined;
}

/** Which turn an instant lies in: 0 from the first handover on. */
function turnAt(rotation: Rotation, at: number): number {
  const wall = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(rotation.timeZone).toPlainDateTime();
  const days = Temporal.PlainDateTime.from(rotation.start)
    .until(wall, { largestUnit: "day" })
    .total({ unit: "day", relativeTo: "2000-01-01" });
  let turn = Math.floor(days / daysOf(rotation));
  while (handover(rotation, turn) > at) turn--;
  while (handover(rotation, turn + 1) <= at) turn++;
  return turn;
}

const handover = (rotation: Rotation, turn: number): number =>
  instantOf(rotation, Temporal.PlainDateTime.from(rotation.start).add({ days: turn * daysOf(rotation) }));

const daysOf = ({ frequency, interval }: Rotation): number => (frequency === "weekly" ? 7 : 1) * interval;

const instantOf = ({ timeZone }: Rotation, wall: string | Temporal.PlainDateTime): number =>
  Temporal.PlainDateTime.from(wall).toZonedDateTime(timeZone, { disambiguation: "compatible" }).epochMilliseconds;

const modulo = (n: number, count: number): number => ((n % count) + count) % count;

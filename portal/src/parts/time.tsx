import { useSyncExternalStore } from "react";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long" });

const minute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

const onClock = {
  minute: new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
  second: new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
  day: new Intl.DateTimeFormat("en", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
};

/** What the reader's clock shows at an instant: for axes and lines of a log, where the day is clear. */
export const clockOf = (at: string | number, upTo: keyof typeof onClock): string => onClock[upTo].format(new Date(at));

/** An instant to come, to the minute, in the reader's zone. */
export function Instant({ at }: { at: string }) {
  return <time dateTime={at}>{minute.format(new Date(at))}</time>;
}

/** One ticking clock for the whole page, by the half minute. */
const ticking = {
  now: Date.now(),
  listeners: new Set<() => void>(),
  subscribe: (listener: () => void) => {
    ticking.listeners.add(listener);
    return () => void ticking.listeners.delete(listener);
  },
};
setInterval(() => {
  ticking.now = Date.now();
  for (const listener of ticking.listeners) listener();
}, 30_000);

/** `3 minutes ago` or `in 3 minutes`, with the instant in the reader's zone on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  const now = useSyncExternalStore(ticking.subscribe, () => ticking.now);
  if (!at) return <span>–</span>;
  return (
    <time dateTime={at} title={exact.format(new Date(at))}>
      {ago(new Date(at).getTime(), now)}
    </time>
  );
}

function ago(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  // What was recorded just now may seem to lie ahead: the clock of the page ticks by the half minute.
  if (seconds > -45 && seconds < 45) return "just now";
  for (const [unit, size] of [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ] as const)
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  return relative.format(Math.sign(seconds), "minute");
}

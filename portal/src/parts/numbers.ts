/** `12,345 requests`, `1 request`. */
export const many = (count: number, what: string): string => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

/** A share of one as percent: the nearer to none or all, the more digits matter. */
export function percent(share: number | null): string {
  if (share === null) return "unknown";
  const value = 100 * share;
  const near = Math.min(Math.abs(value), Math.abs(100 - value));
  return `${Number(value.toFixed(near >= 10 ? 1 : near >= 1 ? 2 : 3))} %`;
}

/** How long something took, as exact as one reads it: `0.4 s`, `48 s`, `3 min 5 s`, `40 min`, `2.5 h`, `3.1 days`. */
export function span(seconds: number | null): string {
  if (seconds === null) return "unknown";
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  if (seconds < 599.5) return `${Math.floor(Math.round(seconds) / 60)} min ${Math.round(seconds) % 60} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} days`;
}

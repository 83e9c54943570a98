import type { Forge } from "../forge/contract.ts";
import type { Sql } from "../kernel/sql.ts";
import { reliefOf } from "../policy/break-glass.ts";
import { openBreakGlasses } from "../policy/break-glass-store.ts";
import { exceptionsFor } from "../policy/exceptions.ts";
import type { Relief } from "../policy/model.ts";
import { find } from "../policy/store.ts";

/** All that speaks for a service now (for any, where none is named) although rules refuse it: exceptions first, so that a break-glass is used only where there is none. */
export async function reliefsFor(db: Sql, service: string | undefined, now: Date): Promise<Relief[]> {
  return [...(await exceptionsFor(db, service, now)), ...(await openBreakGlasses(db, service, now)).map(reliefOf)];
}

/** Whose work on a service an exception would let through: the authors of its changes that are open, and of the one merged last. */
export async function authorsAtWork({ changes }: Pick<Forge, "changes">, service: string): Promise<string[]> {
  const all = await changes({ repository: service });
  const merged = all.filter(({ mergedAt }) => mergedAt !== null).toSorted((a, b) => Number(b.mergedAt) - Number(a.mergedAt));
  return [...all.filter(({ state }) => state === "open"), ...merged.slice(0, 1)].map(({ author }) => author);
}

/** The exceptions and break-glasses that a decision rests on and that hold no more, as one sentence; undefined where it would be the same now. */
export async function reliefEnded(db: Sql, decision: string, now: Date): Promise<string | undefined> {
  const { about, results } = await find(db, decision);
  const used = new Set(results.flatMap(({ relievedBy }) => (relievedBy === null ? [] : [relievedBy])));
  if (used.size === 0) return undefined;
  for (const { id } of await reliefsFor(db, about.replace(/^component:default\//, ""), now)) used.delete(id);
  return used.size === 0 ? undefined : `${[...used].join(", ")} has ended`;
}

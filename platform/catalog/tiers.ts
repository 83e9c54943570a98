import { Tier } from "./model.ts";

/** The tier that demands most among some; of none the one that demands most of all. */
export const strictest = (tiers: readonly Tier[]): Tier => Tier.options.find((tier) => tiers.includes(tier) || tiers.length === 0)!;

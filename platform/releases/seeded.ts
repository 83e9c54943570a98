/** A generator of numbers in [0, 1) from a seed, for simulations that come out the same each time. Source: mulberry32 by Tommy Ettinger. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** How many of n trials of probability p succeed. By inversion: it walks from one success to the next, so it takes about n p steps. */
export function binomial(random: () => number, n: number, p: number): number {
  if (p <= 0) return 0;
  if (p > 0.5) return n - binomial(random, n, 1 - p);
  const logQ = Math.log1p(-p);
  let successes = -1;
  let at = 0;
  while (at <= n) {
    at += Math.floor(Math.log(1 - random()) / logQ) + 1;
    successes++;
  }
  return successes;
}

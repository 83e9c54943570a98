import { z } from "zod";

/**
 * Canary analysis that is valid at whatever moment one looks: two Bernoulli arms in blocks, judged by e-processes.
 * Under its null hypothesis each block multiplies the evidence by a factor of mean at most 1, whatever came before, so by Ville's inequality (1939)
 * it ever reaches 1/alpha with probability at most alpha, also when the base rate drifts.
 * Sources: Turner, Ly, Grünwald 2022 (safe two-sample tests for Bernoulli streams); Lindon, Sanden, Shirikian 2022 (arXiv 2205.14762).
 */

export const Metric = z.enum(["errors", "slow"]);
export type Metric = z.infer<typeof Metric>;

export const CanaryRules = z.strictObject({
  /** "Worse" is a canary rate more than this above the baseline's. */
  tolerance: z.number().min(0).max(0.5),
  /** "Not worse" is a canary rate less than this above the baseline's. */
  margin: z.number().min(0.001).max(0.5),
  /** How far beyond the edge to bet when the past gives no reason to. */
  stake: z.number().min(0.001).max(0.2),
  /** Chance of a false verdict, shared out among the metrics. */
  alpha: z.number().min(1e-6).max(0.5),
  /** A guard beside the tests: more than this share of at least so many of the canary's last requests failed. */
  ceiling: z.strictObject({ errorShare: z.number().min(0).max(1), requests: z.int().min(1) }),
});
export type CanaryRules = z.infer<typeof CanaryRules>;

export const Counts = z.object({ requests: z.number(), errors: z.number(), slow: z.number() });
export type Counts = z.infer<typeof Counts>;

/** What both arms did in the same stretch of time. `baseline` is null where there is no stable revision to compare with. */
export interface Block {
  canary: Counts;
  baseline: Counts | null;
}

const Test = z.object({
  metric: Metric,
  process: z.enum(["worse", "not_worse"]),
  logE: z.number(),
  /** Canary requests that this evidence rests on. */
  requests: z.number(),
  /** Once reached, a threshold stays reached: the level of the test holds for the highest evidence ever. */
  decided: z.boolean(),
});
export type Test = z.infer<typeof Test>;

/** All that the analysis remembers. Plain JSON: it crosses the checkpoints of a workflow unchanged. */
export const CanaryState = z.object({
  metrics: z.array(Metric),
  /** Of the blocks in which both arms had requests. Bets come from here, so never from the block they are laid on. */
  past: z.object({ canary: Counts, baseline: Counts }),
  tests: z.array(Test),
  /** The canary's newest blocks that together hold the ceiling's number of requests. */
  recent: z.array(z.object({ requests: z.number(), errors: z.number() })),
});
export type CanaryState = z.infer<typeof CanaryState>;

export const noCounts: Counts = { requests: 0, errors: 0, slow: 0 };
export const add = (a: Counts, b: Counts): Counts => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
  slow: a.slow + b.slow,
});

/** Nothing seen yet. */
export const beginCanary = (metrics: readonly Metric[]): CanaryState => ({
  metrics: [...metrics],
  past: { canary: noCounts, baseline: noCounts },
  tests: metrics.flatMap((metric) => [fresh(metric, "worse"), fresh(metric, "not_worse")]),
  recent: [],
});

/** "Not worse" must be shown anew at each step; what spoke for "worse" is kept over the whole release. */
export const nextStep = (state: CanaryState): CanaryState => ({
  ...state,
  tests: state.tests.map((test) => (test.process === "worse" ? test : fresh(test.metric, "not_worse"))),
});

/** The evidence after one more block. A block with an empty arm says nothing about the difference; the ceiling alone sees it. */
export function observeBlock(state: CanaryState, block: Block, rules: CanaryRules): CanaryState {
  const recent = newest([...state.recent, { requests: block.canary.requests, errors: block.canary.errors }], rules.ceiling.requests);
  const { canary, baseline } = block;
  if (!baseline || canary.requests === 0 || baseline.requests === 0) return { ...state, recent };
  const threshold = thresholdOf(state, rules);
  const tests = state.tests.map((test) => {
    const logE = test.logE + gainOf(test, state.past, canary, baseline, rules);
    return { ...test, logE, requests: test.requests + canary.requests, decided: test.decided || logE >= threshold };
  });
  return { ...state, recent, tests, past: { canary: add(state.past.canary, canary), baseline: add(state.past.baseline, baseline) } };
}

/** ln(1/alpha) for one metric: where evidence decides. */
export const thresholdOf = (state: CanaryState, rules: CanaryRules): number => Math.log(state.metrics.length / rules.alpha);

/** The share of failures among the canary's newest requests, where it is over the ceiling. */
export function ceilingBroken(state: CanaryState, rules: CanaryRules): { requests: number; errors: number } | undefined {
  const requests = state.recent.reduce((sum, block) => sum + block.requests, 0);
  const errors = state.recent.reduce((sum, block) => sum + block.errors, 0);
  return requests >= rules.ceiling.requests && errors > rules.ceiling.errorShare * requests ? { requests, errors } : undefined;
}

/** Canary requests that a test still needs at the pace it has had so far; undefined where it has not been gaining. */
export function requestsNeeded(test: Test, threshold: number): number | undefined {
  if (test.decided) return 0;
  return test.logE > 0 ? Math.ceil(((threshold - test.logE) * test.requests) / test.logE) : undefined;
}

const fresh = (metric: Metric, process: Test["process"]): Test => ({ metric, process, logE: 0, requests: 0, decided: false });

/** Drops the oldest blocks as long as the others hold enough requests. */
function newest<T extends { requests: number }>(blocks: T[], enough: number): T[] {
  const filled = blocks.filter((block) => block.requests > 0);
  let held = filled.reduce((sum, block) => sum + block.requests, 0);
  let from = 0;
  for (const block of filled) {
    if (held - block.requests < enough) break;
    held -= block.requests;
    from++;
  }
  return filled.slice(from);
}

const PRIOR_RATE = 0.01;
const PRIOR_REQUESTS = 20;
const clamp = (rate: number): number => Math.min(1 - 1e-6, Math.max(1e-6, rate));
const rateOf = (past: Counts, metric: Metric): number => (past[metric] + PRIOR_REQUESTS * PRIOR_RATE) / (past.requests + PRIOR_REQUESTS);

/** The logarithm of the factor that one block multiplies a test's evidence by. */
function gainOf(test: Test, past: CanaryState["past"], canary: Counts, baseline: Counts, rules: CanaryRules): number {
  const d = test.process === "worse" ? rules.tolerance : rules.margin;
  const qb = clamp(rateOf(past.baseline, test.metric));
  let qc = clamp(rateOf(past.canary, test.metric));
  if (test.process === "worse") {
    if (!(qc - qb > d)) qc = clamp(qb + d + rules.stake);
    if (!(qc - qb > d)) return 0; // the baseline fails so often that nothing above the edge is left to bet on
  } else if (!(qc - qb < d)) {
    qc = clamp(Math.max(1e-8, qb + d - rules.stake));
    if (!(qc - qb < d)) return 0;
  }
  const rb = nearestOfNull(d, qc, canary.requests, qb, baseline.requests);
  const rc = rb + d;
  return likelihoodGain(canary[test.metric], canary.requests, qc, rc) + likelihoodGain(baseline[test.metric], baseline.requests, qb, rb);
}

const likelihoodGain = (y: number, n: number, q: number, r: number): number => y * Math.log(q / r) + (n - y) * Math.log((1 - q) / (1 - r));

/**
 * The baseline rate of the null's point that is nearest to the bet: on the edge rc - rb = d, the least nc KL(qc || rc) + nb KL(qb || rb).
 * The derivative along the edge grows from one end to the other, so bisection finds its zero; 50 halvings reach the last bit.
 */
function nearestOfNull(d: number, qc: number, nc: number, qb: number, nb: number): number {
  let low = 1e-9;
  let high = 1 - d - 1e-9;
  for (let halving = 0; halving < 50; halving++) {
    const rb = (low + high) / 2;
    const rc = rb + d;
    if ((nc * (rc - qc)) / (rc * (1 - rc)) + (nb * (rb - qb)) / (rb * (1 - rb)) > 0) high = rb;
    else low = rb;
  }
  return (low + high) / 2;
}

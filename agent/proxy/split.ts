/**
 * Deals requests out to arms by weight, in shuffled blocks: each block holds every arm exactly as often as its weight says, so a canary of 1 % gets one of
 * each hundred, and the shuffle keeps a client's own rhythm from meeting one arm always. (Permuted blocks, as in clinical trials.)
 */
export class Split<Arm> {
  readonly #block: Arm[];
  readonly #random: () => number;
  #next = 0;

  /** Weights in percent, to a tenth. */
  constructor(arms: readonly { arm: Arm; weightPercent: number }[], random: () => number = Math.random) {
    const tenths = arms.map(({ weightPercent }) => Math.round(weightPercent * 10));
    const unit = tenths.reduce(greatestCommonDivisor, 0) || 1;
    this.#block = arms.flatMap(({ arm }, n) => Array.from<Arm>({ length: (tenths[n] ?? 0) / unit }).fill(arm));
    this.#random = random;
    this.#shuffle();
  }

  /** The arm of the next request; undefined when no arm has weight. */
  next(): Arm | undefined {
    if (this.#next === this.#block.length) {
      this.#next = 0;
      this.#shuffle();
    }
    return this.#block[this.#next++];
  }

  #shuffle(): void {
    const block = this.#block;
    for (let last = block.length - 1; last > 0; last--) {
      const other = Math.floor(this.#random() * (last + 1));
      [block[last], block[other]] = [block[other] as Arm, block[last] as Arm];
    }
  }
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

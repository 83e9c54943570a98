/** A range of sizes or costs, with cel-go's saturating arithmetic on 64 bits (checker/cost.go). */
export interface Range {
  min: number;
  max: number;
}

/** The largest uint64: a size of which nothing is known. */
export const unbounded = 2 ** 64;

export const fixed = (value: number): Range => ({ min: value, max: value });
export const unknownSize: Range = { min: 0, max: unbounded };
export const zero = fixed(0);

const saturated = (value: number): number => Math.min(value, unbounded);

export const add = (...ranges: readonly Range[]): Range =>
  ranges.reduce((sum, { min, max }) => ({ min: saturated(sum.min + min), max: saturated(sum.max + max) }), zero);

export const multiply = (a: Range, b: Range): Range => ({ min: saturated(a.min * b.min), max: saturated(a.max * b.max) });

/** Times a factor, rounded up. */
export const scale = ({ min, max }: Range, factor: number): Range => ({
  min: saturated(Math.ceil(min * factor)),
  max: saturated(Math.ceil(max * factor)),
});

export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

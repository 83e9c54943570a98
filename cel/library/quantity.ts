import { CelError, Double, Opaque, type Value } from "../values/values.ts";
import { maxInt, minInt, canonicalInt } from "../values/numbers.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";
import { ownTable } from "../values/own-table.ts";

/** A Kubernetes quantity like 500m or 1.5Gi, in billionths: Kubernetes keeps nothing smaller. */
export class Quantity extends Opaque {
  readonly typeName = "kubernetes.Quantity";
  readonly nanos: bigint;
  /** Written without a fraction, and within int64: only then does Kubernetes take it for an integer (1000m is none). */
  readonly isInteger: boolean;
  constructor(nanos: bigint, isInteger: boolean) {
    super();
    this.nanos = nanos;
    this.isInteger = isInteger && fitsInt(nanos);
  }
  equals(other: Opaque): boolean {
    return this.nanos === (other as Quantity).nanos;
  }
  override toString(): string {
    const size = this.nanos < 0n ? -this.nanos : this.nanos;
    const fraction = (size % billion).toString().padStart(9, "0").replace(/0+$/, "");
    return `${this.nanos < 0n ? "-" : ""}${size / billion}${fraction && `.${fraction}`}`;
  }
}

const billion = 10n ** 9n;
const fitsInt = (nanos: bigint): boolean => nanos / billion <= maxInt && nanos / billion >= minInt;

const powersOf10 = ownTable<number>({ n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 });
const powersOf2 = ownTable<bigint>({ Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n });

/** Reads a quantity as resource.ParseQuantity does: rounded up to a billionth, away from zero. */
export function parseQuantity(text: string): Quantity | CelError {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,9}))?$/.exec(text);
  if (!match || text.length > 200 || ((match[2] ?? "") === "" && (match[3] ?? "") === ""))
    return new CelError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  const [, sign, whole = "", fraction = "", suffix = "", exponent] = match;
  const power = exponent === undefined ? (powersOf10[suffix] ?? 0) : Number(exponent);
  if (Math.abs(power) > 300) return new CelError("this quantity is out of range");
  const scaled = BigInt(`${whole}${fraction}` || "0") * 2n ** (powersOf2[suffix] ?? 0n);
  const shift = 9 + power - fraction.length;
  const nanos = shift >= 0 ? scaled * 10n ** BigInt(shift) : roundUp(scaled, 10n ** BigInt(-shift));
  return new Quantity(sign === "-" ? -nanos : nanos, fraction === "" && power >= 0);
}

const roundUp = (value: bigint, by: bigint): bigint => (value + by - 1n) / by;

const quantity = (value: Value | undefined): Quantity => value as Quantity;
const ofInt = (value: Value): Quantity => new Quantity(BigInt(value as number) * billion, true);
const sum = (a: Quantity, b: Quantity, sign: bigint): Quantity => new Quantity(a.nanos + sign * b.nanos, a.isInteger && b.isInteger);
const compare = (a: Value | undefined, b: Value | undefined): number => {
  const difference = quantity(a).nanos - quantity(b).nanos;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

const type = "kubernetes.Quantity";

/** Kubernetes' quantity library. `sign` is a function there, not a method. */
export const quantityFunctions = (): Overload[] =>
  overloadsOf([
    ["string_to_quantity", `quantity(string) -> ${type}`, ([text]) => parseQuantity(text as string)],
    ["is_quantity_string", "isQuantity(string) -> bool", ([text]) => parseQuantity(text as string) instanceof Quantity],
    ["quantity_sign", `sign(${type}) -> int`, ([value]) => (quantity(value).nanos < 0n ? -1 : quantity(value).nanos > 0n ? 1 : 0)],
    ["quantity_is_greater_than", `<${type}>.isGreaterThan(${type}) -> bool`, ([a, b]) => compare(a, b) > 0],
    ["quantity_is_less_than", `<${type}>.isLessThan(${type}) -> bool`, ([a, b]) => compare(a, b) < 0],
    ["quantity_compare_to", `<${type}>.compareTo(${type}) -> int`, ([a, b]) => compare(a, b)],
    ["quantity_get_float", `<${type}>.asApproximateFloat() -> double`, ([value]) => new Double(Number(quantity(value).toString()))],
    [
      "quantity_get_int",
      `<${type}>.asInteger() -> int`,
      ([value]) =>
        quantity(value).isInteger ? canonicalInt(quantity(value).nanos / billion) : new CelError("cannot convert value to integer"),
    ],
    ["quantity_is_integer", `<${type}>.isInteger() -> bool`, ([value]) => quantity(value).isInteger],
    ["quantity_add", `<${type}>.add(${type}) -> ${type}`, ([a, b]) => sum(quantity(a), quantity(b), 1n)],
    ["quantity_add_int", `<${type}>.add(int) -> ${type}`, ([a, b]) => sum(quantity(a), ofInt(b!), 1n)],
    ["quantity_sub", `<${type}>.sub(${type}) -> ${type}`, ([a, b]) => sum(quantity(a), quantity(b), -1n)],
    ["quantity_sub_int", `<${type}>.sub(int) -> ${type}`, ([a, b]) => sum(quantity(a), ofInt(b!), -1n)],
  ]);

import { CelError, Opaque, type Value } from "../values/values.ts";
import { canonicalInt, maxInt } from "../values/numbers.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";

/** A version by Semantic Versioning 2.0.0; what is built (`+...`) counts for nothing in comparisons. */
export class Semver extends Opaque {
  readonly typeName = "kubernetes.Semver";
  readonly core: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];
  readonly build: string;
  constructor(core: readonly [bigint, bigint, bigint], prerelease: readonly string[], build: string) {
    super();
    this.core = core;
    this.prerelease = prerelease;
    this.build = build;
  }
  equals(other: Opaque): boolean {
    return compare(this, other as Semver) === 0;
  }
  override toString(): string {
    return this.core.join(".") + (this.prerelease.length > 0 ? `-${this.prerelease.join(".")}` : "") + (this.build && `+${this.build}`);
  }
}

const number = String.raw`(0|[1-9]\d*)`;
const identifiers = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`;
const version = new RegExp(String.raw`^${number}\.${number}\.${number}(?:-(${identifiers}))?(?:\+(${identifiers}))?$`);

function parse(text: string): Semver | CelError {
  const match = text.length <= 1000 ? version.exec(text) : null;
  if (!match) return new CelError("not a semantic version: MAJOR.MINOR.PATCH is expected, without leading zeros");
  const core = [BigInt(match[1]!), BigInt(match[2]!), BigInt(match[3]!)] as const;
  const prerelease = match[4]?.split(".") ?? [];
  if (core.some((part) => part >= 2n ** 64n) || prerelease.some((part) => /^0\d+$/.test(part)))
    return new CelError("not a semantic version: a number is too large or has a leading zero");
  return new Semver(core, prerelease, match[5] ?? "");
}

/** Lets a v, leading zeros, and missing parts pass: "v1.02" is 1.2.0. */
function parseTolerant(text: string): Semver | CelError {
  const parts = text.replace(/^v/, "").split(".");
  const head = [...parts.slice(0, 2), ...(parts.length > 2 ? [parts.slice(2).join(".")] : [])].map((part) =>
    part.length > 1 ? part.replace(/^0+(?=\d)/, "").replace(/^0*(?=\D|$)/, "0") : part,
  );
  if (head.length < 3 && /[+-]/.test(head.at(-1)!)) return new CelError("a short version cannot have a prerelease or build");
  while (head.length < 3) head.push("0");
  return parse(head.join("."));
}

function compare(a: Semver, b: Semver): number {
  for (let i = 0; i < 3; i++) if (a.core[i] !== b.core[i]) return a.core[i]! < b.core[i]! ? -1 : 1;
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return Math.sign(b.prerelease.length - a.prerelease.length) || 0;
  for (let i = 0; i < Math.min(a.prerelease.length, b.prerelease.length); i++) {
    const order = comparePart(a.prerelease[i]!, b.prerelease[i]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
}

/** Numbers come before words, and by size; words by their letters. */
function comparePart(a: string, b: string): number {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left && right) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
  if (left !== right) return left ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

const part =
  (index: 0 | 1 | 2) =>
  ([value]: readonly Value[]): Value => {
    const number = (value as Semver).core[index];
    return number <= maxInt ? canonicalInt(number) : canonicalInt(BigInt.asIntN(64, number));
  };
const read = ([text, tolerant]: readonly Value[]): Semver | CelError => (tolerant === true ? parseTolerant : parse)(text as string);
const type = "kubernetes.Semver";

/** Kubernetes' semver library, version 1. */
export const semverFunctions = (): Overload[] =>
  overloadsOf([
    ["string_to_semver", `semver(string) -> ${type}`, read],
    ["string_bool_to_semver", `semver(string, bool) -> ${type}`, read],
    ["is_semver_string", "isSemver(string) -> bool", (args) => read(args) instanceof Semver],
    ["is_semver_string_bool", "isSemver(string, bool) -> bool", (args) => read(args) instanceof Semver],
    ["semver_major", `<${type}>.major() -> int`, part(0)],
    ["semver_minor", `<${type}>.minor() -> int`, part(1)],
    ["semver_patch", `<${type}>.patch() -> int`, part(2)],
    ["semver_is_greater_than", `<${type}>.isGreaterThan(${type}) -> bool`, ([a, b]) => compare(a as Semver, b as Semver) > 0],
    ["semver_is_less_than", `<${type}>.isLessThan(${type}) -> bool`, ([a, b]) => compare(a as Semver, b as Semver) < 0],
    ["semver_compare_to", `<${type}>.compareTo(${type}) -> int`, ([a, b]) => compare(a as Semver, b as Semver)],
  ]);

import { CelError, Double, Uint, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { compareNumbers, isNumber, maxUint, toInt, toUint } from "../values/numbers.ts";
import { overloadsOf, type FunctionTable, type Implementation, type Overload } from "../check/functions.ts";
import type { Expr } from "../syntax/ast.ts";
import { SyntaxFault } from "../syntax/literals.ts";
import type { Macro } from "../syntax/macros.ts";

const numbers = ["int", "uint", "double"];
const real = (value: Value | undefined): number => (value as Double).value;
const onDouble = (id: string, change: (value: number) => number): FunctionTable[number] => [
  `math_${id}_double`,
  `math.${id}(double) -> double`,
  ([value]) => new Double(change(real(value))),
];
const ofDouble = (id: string, test: (value: number) => boolean): FunctionTable[number] => [
  `math_${id}_double`,
  `math.${id}(double) -> bool`,
  ([value]) => test(real(value)),
];

/** The greatest or least; of equal ones the first, as their types may differ. */
const extreme =
  (wanted: number): Implementation =>
  (args) => {
    const all = args.length === 1 && Array.isArray(args[0]) ? (args[0] as unknown[]).map(adapt) : args;
    if (all.length === 0) return new CelError("math.@min(list) argument must not be empty");
    let best = all[0]!;
    for (const item of all) {
      if (!isNumber(item) || !isNumber(best)) return new CelError("no such overload: math.@min");
      if (compareNumbers(item, best) * wanted > 0) best = item;
    }
    return best;
  };

const extremes = (name: string, wanted: number): FunctionTable => [
  ...numbers.flatMap((a) => [
    [`math_@${name}_${a}`, `math.@${name}(${a}) -> ${a}`, extreme(wanted)] as FunctionTable[number],
    [`math_@${name}_list_${a}`, `math.@${name}(list(${a})) -> ${a}`, extreme(wanted)] as FunctionTable[number],
    ...numbers.map(
      (b) => [`math_@${name}_${a}_${b}`, `math.@${name}(${a}, ${b}) -> ${a === b ? a : "dyn"}`, extreme(wanted)] as FunctionTable[number],
    ),
  ]),
  [`math_@${name}_list_dyn`, `math.@${name}(list(dyn)) -> dyn`, extreme(wanted)],
];

const bits = (id: string, combine: (a: bigint, b: bigint) => bigint): FunctionTable => [
  [
    `math_${id}_int_int`,
    `math.${id}(int, int) -> int`,
    ([a, b]) => toInt(BigInt.asIntN(64, combine(BigInt(a as number), BigInt(b as number)))),
  ],
  [`math_${id}_uint_uint`, `math.${id}(uint, uint) -> uint`, ([a, b]) => new Uint(combine((a as Uint).value, (b as Uint).value))],
];

/** Shifts by 64 and more give 0; a right shift fills with zeros even on negative ints. */
const shift = (id: string, move: (value: bigint, by: bigint) => bigint): FunctionTable => {
  const by = (value: bigint, amount: Value): bigint | CelError => {
    if (Number(amount) < 0) return new CelError(`math.${id}() negative offset: ${String(amount)}`);
    return Number(amount) >= 64 ? 0n : move(value, BigInt(amount as number));
  };
  return [
    [
      `math_${id}_int_int`,
      `math.${id}(int, int) -> int`,
      ([value, amount]) => {
        const moved = by(BigInt.asUintN(64, BigInt(value as number)), amount!);
        return moved instanceof CelError ? moved : toInt(BigInt.asIntN(64, moved));
      },
    ],
    [
      `math_${id}_uint_int`,
      `math.${id}(uint, int) -> uint`,
      ([value, amount]) => {
        const moved = by((value as Uint).value, amount!);
        return moved instanceof CelError ? moved : new Uint(moved & maxUint);
      },
    ],
  ];
};

/** Half away from zero. */
const round = (value: number): number =>
  Number.isInteger(value) || !Number.isFinite(value) ? value : Math.sign(value) * Math.round(Math.abs(value));
const sqrt = (value: number): Value => new Double(Math.sqrt(value));

const table: FunctionTable = [
  ...extremes("max", 1),
  ...extremes("min", -1),
  onDouble("ceil", Math.ceil),
  onDouble("floor", Math.floor),
  onDouble("round", round),
  onDouble("trunc", Math.trunc),
  onDouble("sign", Math.sign),
  onDouble("abs", Math.abs),
  ofDouble("isNaN", Number.isNaN),
  ofDouble("isFinite", Number.isFinite),
  ofDouble("isInf", (value) => Math.abs(value) === Infinity),
  ["math_abs_int", "math.abs(int) -> int", ([value]) => ((value as number) < 0 ? toInt(-BigInt(value as number)) : value!)],
  ["math_abs_uint", "math.abs(uint) -> uint", ([value]) => value!],
  ["math_sign_int", "math.sign(int) -> int", ([value]) => ((value as number) < 0 ? -1 : (value as number) > 0 ? 1 : 0)],
  ["math_sign_uint", "math.sign(uint) -> uint", ([value]) => toUint((value as Uint).value > 0n ? 1n : 0n)],
  ["math_sqrt_double", "math.sqrt(double) -> double", ([value]) => sqrt(real(value))],
  ["math_sqrt_int", "math.sqrt(int) -> double", ([value]) => sqrt(Number(value))],
  ["math_sqrt_uint", "math.sqrt(uint) -> double", ([value]) => sqrt(Number((value as Uint).value))],
  ...bits("bitAnd", (a, b) => a & b),
  ...bits("bitOr", (a, b) => a | b),
  ...bits("bitXor", (a, b) => a ^ b),
  ["math_bitNot_int_int", "math.bitNot(int) -> int", ([value]) => toInt(~BigInt(value as number))],
  ["math_bitNot_uint_uint", "math.bitNot(uint) -> uint", ([value]) => new Uint(~(value as Uint).value & maxUint)],
  ...shift("bitShiftLeft", (value, by) => (value << by) & maxUint),
  ...shift("bitShiftRight", (value, by) => value >> by),
];

/** cel-go ext.Math; Kubernetes has none of it. */
export const mathFunctions = (): Overload[] => overloadsOf(table);

/** math.greatest() and math.least() take any number of arguments. */
export const mathMacros: Record<string, Macro> = {
  ".greatest/*": (tree, call) =>
    isMath(call.target)
      ? tree.call(
          call.at,
          "math.@max",
          packed(call.args, call.at, (list) => tree.list(call.at, list)),
        )
      : undefined,
  ".least/*": (tree, call) =>
    isMath(call.target)
      ? tree.call(
          call.at,
          "math.@min",
          packed(call.args, call.at, (list) => tree.list(call.at, list)),
        )
      : undefined,
};

const isMath = (node: Expr | undefined): boolean => node?.kind === "ident" && node.name === "math";

function packed(args: readonly Expr[], at: number, list: (args: readonly Expr[]) => Expr): readonly Expr[] {
  if (args.length === 0) throw new SyntaxFault(at, "math.greatest() and math.least() need an argument");
  for (const arg of args) {
    const bad =
      (arg.kind === "literal" && !isNumber(arg.value)) ||
      arg.kind === "map" ||
      arg.kind === "struct" ||
      (arg.kind === "list" && args.length > 1);
    if (bad || (arg.kind === "list" && arg.elements.length === 0))
      throw new SyntaxFault(arg.at, "math.greatest() and math.least() take numbers, or one list of them");
    if (arg.kind === "list" && arg.elements.some((item) => item.kind === "literal" && !isNumber(item.value)))
      throw new SyntaxFault(arg.at, "a list of numbers is needed");
  }
  return args.length > 2 ? [list(args)] : args;
}

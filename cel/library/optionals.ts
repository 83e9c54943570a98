import { CelError, Double, Opaque, Optional, Uint, none, type Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { overloadsOf, type FunctionTable, type Overload } from "../check/functions.ts";
import { mapSize } from "../values/maps.ts";
import { Duration, Timestamp } from "../values/time.ts";

const content = ([optional]: readonly Value[]): Value => (optional as Optional).value ?? new CelError("optional.none() dereference");
// Indexing and choosing are planned as chains (run/attributes.ts) or lazily (run/calls.ts): these stand for their types.
const planned = (): Value => new CelError("no such overload");

const unwrap = ([list]: readonly Value[]): Value =>
  (list as unknown[]).map(adapt).flatMap((item) => (item instanceof Optional && item.value !== undefined ? [item.value] : []));

const table: FunctionTable = [
  ["optional_of", "optional.of(V) -> optional_type(V)", ([value]) => new Optional(value!)],
  [
    "optional_ofNonZeroValue",
    "optional.ofNonZeroValue(V) -> optional_type(V)",
    ([value]) => (isZero(value!) ? none : new Optional(value!)),
  ],
  ["optional_none", "optional.none() -> optional_type(V)", () => none],
  ["optional_value", "<optional_type(V)>.value() -> V", content],
  ["optional_hasValue", "<optional_type(V)>.hasValue() -> bool", ([optional]) => (optional as Optional).value !== undefined],
  ["optional_or_optional", "<optional_type(V)>.or(optional_type(V)) -> optional_type(V)", planned],
  ["optional_orValue_value", "<optional_type(V)>.orValue(V) -> V", planned],
  ["optional_unwrap", "optional.unwrap(list(optional_type(V))) -> list(V)", unwrap],
  ["optional_unwrapOpt", "<list(optional_type(V))>.unwrapOpt() -> list(V)", unwrap],
  ["select_optional_field", "_?._(dyn, string) -> optional_type(V)", planned],
  ["list_optindex_optional_int", "_[?_](list(V), int) -> optional_type(V)", planned],
  ["optional_list_optindex_optional_int", "_[?_](optional_type(list(V)), int) -> optional_type(V)", planned],
  ["map_optindex_optional_value", "_[?_](map(K, V), K) -> optional_type(V)", planned],
  ["optional_map_optindex_optional_value", "_[?_](optional_type(map(K, V)), K) -> optional_type(V)", planned],
  ["optional_list_index_int", "_[_](optional_type(list(V)), int) -> optional_type(V)", planned],
  ["optional_map_index_value", "_[_](optional_type(map(K, V)), K) -> optional_type(V)", planned],
];

/** cel-go's optional types, version 2. */
export const optionalFunctions = (): Overload[] => overloadsOf(table);

/** What transformMap expands to; it runs as a loop (run/folds.ts). */
export const twoVariableFunctions = (): Overload[] =>
  overloadsOf([
    ["@mapInsert_map_key_value", "cel.@mapInsert(map(K, V), K, V) -> map(K, V)", planned],
    ["@mapInsert_map_map", "cel.@mapInsert(map(K, V), map(K, V)) -> map(K, V)", planned],
  ]);

function isZero(value: Value): boolean {
  if (typeof value !== "object") return value === 0 || value === "" || value === false || value === 0n;
  if (value === null) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Double) return value.value === 0;
  if (value instanceof Uint || value instanceof Duration) return (value instanceof Uint ? value.value : value.nanos) === 0n;
  if (value instanceof Timestamp) return value.nanos === -62_135_596_800_000_000_000n;
  if (value instanceof Optional) return value.value === undefined;
  return !(value instanceof Opaque) && mapSize(value) === 0;
}

import type { Value } from "../values/values.ts";
import { adapt } from "../values/adapt.ts";
import { comparing, equals } from "../values/compare.ts";
import { overloadsOf, type CallContext, type Overload } from "../check/functions.ts";

const holds = (list: Value, item: unknown, context: CallContext): boolean => {
  context.work((list as unknown[]).length);
  return (list as unknown[]).some((candidate) => equals(adapt(candidate), adapt(item), context));
};
const containsAll = (list: Value, wanted: Value, context: CallContext): boolean =>
  (wanted as unknown[]).every((item) => holds(list, item, context));

/** cel-go ext.Sets: lists taken as sets. */
export const setFunctions = (): Overload[] =>
  overloadsOf([
    [
      "list_sets_contains_list",
      "sets.contains(list(T), list(T)) -> bool",
      ([a, b], context) => comparing(() => containsAll(a!, b!, context)),
    ],
    [
      "list_sets_equivalent_list",
      "sets.equivalent(list(T), list(T)) -> bool",
      ([a, b], context) => comparing(() => containsAll(a!, b!, context) && containsAll(b!, a!, context)),
    ],
    [
      "list_sets_intersects_list",
      "sets.intersects(list(T), list(T)) -> bool",
      ([a, b], context) => comparing(() => (b as unknown[]).some((item) => holds(a!, item, context))),
    ],
  ]);

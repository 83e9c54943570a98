import { formatDouble } from "../library/conversions.ts";
import { adapt } from "../values/adapt.ts";
import { getEntry, mapKeys } from "../values/maps.ts";
import { kindOf, type Double, type TypeValue, type Uint, type Value } from "../values/values.ts";
import { type Duration, type Timestamp, billion } from "../values/time.ts";

/** A value as Go prints the protobuf message cel.expr.Value: what the recorded answers of Kubernetes look like. */
export function goText(value: Value): string {
  switch (kindOf(value)) {
    case "null":
      return "null_value:NULL_VALUE";
    case "bool":
      return `bool_value:${String(value)}`;
    case "int":
      return `int64_value:${String(value)}`;
    case "uint":
      return `uint64_value:${(value as Uint).value}`;
    case "double":
      return `double_value:${formatDouble((value as Double).value)
        .replace("+Inf", "inf")
        .replace("-Inf", "-inf")
        .replace("NaN", "nan")}`;
    case "string":
      return `string_value:${JSON.stringify(value)}`;
    case "type":
      return `type_value:${JSON.stringify((value as TypeValue).name)}`;
    case "list":
      return `list_value:{${(value as unknown[]).map((item) => `values:{${goText(adapt(item))}}`).join(" ")}}`;
    case "map":
      return `map_value:{${mapKeys(value as object)
        .map((key) => `entries:{key:{${goText(key)}} value:{${goText(getEntry(value as object, key)!)}}}`)
        .join(" ")}}`;
    case "duration":
    case "timestamp": {
      const { nanos } = value as Duration | Timestamp;
      const parts = [nanos / billion === 0n ? "" : `seconds:${nanos / billion}`, nanos % billion === 0n ? "" : `nanos:${nanos % billion}`];
      return `object_value:{[type.googleapis.com/google.protobuf.${kindOf(value) === "duration" ? "Duration" : "Timestamp"}]:{${parts.filter(Boolean).join(" ")}}}`;
    }
    default:
      return kindOf(value);
  }
}

import { CelError, type Value } from "../values/values.ts";
import { timestampOf } from "../values/time.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";

const encode = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};

/** Standard base64; the padding may be missing. */
function decode(text: string): Value {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return new CelError("illegal base64 data");
  try {
    return Uint8Array.from(atob(text.replace(/=+$/, "")), (char) => char.charCodeAt(0));
  } catch {
    return new CelError("illegal base64 data");
  }
}

/** cel-go ext.Encoders; Kubernetes has none of it. */
export const encoderFunctions = (): Overload[] =>
  overloadsOf([
    [
      "base64_encode_bytes",
      "base64.encode(bytes) -> string",
      ([bytes], context) => {
        context.allocate((bytes as Uint8Array).length);
        return encode(bytes as Uint8Array);
      },
    ],
    [
      "base64_decode_string",
      "base64.decode(string) -> bytes",
      ([text], context) => {
        context.allocate((text as string).length);
        return decode(text as string);
      },
    ],
  ]);

/** The time that the caller of evaluate() gave. Kubernetes has no clock. */
export const clockFunctions = (): Overload[] =>
  overloadsOf([
    [
      "now",
      "now() -> timestamp",
      (_, { now }) => (now === undefined ? new CelError("now() is not evaluable: no time was given") : timestampOf(now)),
    ],
  ]);

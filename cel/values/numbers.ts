import { CelError, Double, Uint, type Value } from "./values.ts";

export const maxInt = 2n ** 63n - 1n;
export const minInt = -(2n ** 63n);
export const maxUint = 2n ** 64n - 1n;

/** An int64 in its one form: a number while it is safe, else a bigint. */
export const canonicalInt = (value: bigint): number | bigint => (value >= minSafe && value <= maxSafe ? Number(value) : value);

/** An int64, or the overflow error. */
export const toInt = (value: bigint): Value =>
  value >= minInt && value <= maxInt ? canonicalInt(value) : new CelError("integer overflow");

export const toUint = (value: bigint): Value =>
  value >= 0n && value <= maxUint ? new Uint(value) : new CelError("unsigned integer overflow");

export const isInt = (value: Value): value is number | bigint => typeof value === "number" || typeof value === "bigint";

export const isNumber = (value: Value): value is number | bigint | Uint | Double =>
  isInt(value) || value instanceof Uint || value instanceof Double;

export type Operator = "+" | "-" | "*" | "/" | "%";

/** Arithmetic on two numbers of one type; undefined if the types are not equal or know no such operation. */
export function arithmetic(operator: Operator, a: Value, b: Value): Value | undefined {
  if (typeof a === "number" && typeof b === "number") return smallIntArithmetic(operator, a, b);
  if (isInt(a) && isInt(b)) return intArithmetic(operator, BigInt(a), BigInt(b));
  if (a instanceof Double && b instanceof Double) return doubleArithmetic(operator, a.value, b.value);
  if (a instanceof Uint && b instanceof Uint) return uintArithmetic(operator, a.value, b.value);
  return undefined;
}

export function negate(value: Value): Value | undefined {
  if (typeof value === "number") return 0 - value;
  if (typeof value === "bigint") return toInt(-value);
  return value instanceof Double ? new Double(-value.value) : undefined;
}

/** Orders two numbers of any types: negative, 0, positive, or NaN. Beside a double both are compared as doubles, as cel-go does. */
export function compareNumbers(a: number | bigint | Uint | Double, b: number | bigint | Uint | Double): number {
  if (a instanceof Double || b instanceof Double) {
    const left = a instanceof Double ? a.value : Number(a instanceof Uint ? a.value : a);
    const right = b instanceof Double ? b.value : Number(b instanceof Uint ? b.value : b);
    return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN;
  }
  const left = a instanceof Uint ? a.value : a;
  const right = b instanceof Uint ? b.value : b;
  // JavaScript orders a bigint and a number by their mathematical values.
  return left < right ? -1 : left > right ? 1 : 0;
}

const minSafe = BigInt(Number.MIN_SAFE_INTEGER);
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);
const divideByZero = "division by zero";
const modulusByZero = "modulus by zero";

function smallIntArithmetic(operator: Operator, a: number, b: number): Value {
  switch (operator) {
    case "+": {
      const sum = a + b;
      return Number.isSafeInteger(sum) ? sum : toInt(BigInt(a) + BigInt(b));
    }
    case "-": {
      const difference = a - b;
      return Number.isSafeInteger(difference) ? difference : toInt(BigInt(a) - BigInt(b));
    }
    case "*": {
      const product = a * b;
      return Number.isSafeInteger(product) ? product + 0 : toInt(BigInt(a) * BigInt(b));
    }
    case "/":
      return b === 0 ? new CelError(divideByZero) : Math.trunc(a / b) + 0;
    case "%":
      return b === 0 ? new CelError(modulusByZero) : (a % b) + 0;
  }
}

function intArithmetic(operator: Operator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return toInt(a + b);
    case "-":
      return toInt(a - b);
    case "*":
      return toInt(a * b);
    case "/":
      return b === 0n ? new CelError(divideByZero) : toInt(a / b);
    case "%":
      // Go finds no value for the smallest int modulo -1, since its quotient overflows.
      if (b === 0n) return new CelError(modulusByZero);
      return a === minInt && b === -1n ? new CelError("integer overflow") : toInt(a % b);
  }
}

function uintArithmetic(operator: Operator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return toUint(a + b);
    case "-":
      return toUint(a - b);
    case "*":
      return toUint(a * b);
    case "/":
      return b === 0n ? new CelError(divideByZero) : toUint(a / b);
    case "%":
      return b === 0n ? new CelError(modulusByZero) : toUint(a % b);
  }
}

function doubleArithmetic(operator: Operator, a: number, b: number): Value | undefined {
  switch (operator) {
    case "+":
      return new Double(a + b);
    case "-":
      return new Double(a - b);
    case "*":
      return new Double(a * b);
    case "/":
      return new Double(a / b);
    case "%":
      return undefined;
  }
}

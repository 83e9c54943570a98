/** A finite double in decimal, exactly: its digits, and how many of them stand before the point (may be negative). */
function exact(value: number): { digits: string; point: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const power = (exponent === 0 ? 1 : exponent) - 1075;
  if (mantissa === 0n) return { digits: "0", point: 1 };
  const digits = String(power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power));
  return { digits, point: digits.length + Math.min(power, 0) };
}

/** Keeps `count` digits, half to even, as Go and C print; one more digit comes out if it carries over the first. */
function rounded(digits: string, count: number): string {
  if (count < 0) return "0";
  if (count >= digits.length) return digits.padEnd(count, "0");
  const kept = BigInt(digits.slice(0, count) || "0");
  const next = digits.charCodeAt(count) - 48;
  const tie = next === 5 && !/[1-9]/.test(digits.slice(count + 1));
  return String(next > 5 || (next === 5 && (!tie || kept % 2n === 1n)) ? kept + 1n : kept).padStart(count, "0");
}

/** `%.Nf` of a finite double, without its sign. */
export function fixedDigits(value: number, precision: number): string {
  const { digits, point } = exact(Math.abs(value));
  const whole = rounded(point > 0 ? digits : "0".repeat(1 - point) + digits, Math.max(point, 1) + precision);
  return precision === 0 ? whole : `${whole.slice(0, -precision)}.${whole.slice(-precision)}`;
}

/** `%.Ne` of a finite double, without its sign: the mantissa, and the power of ten. */
export function scientificDigits(value: number, precision: number): { mantissa: string; power: number } {
  const { digits, point } = exact(Math.abs(value));
  if (/^0+$/.test(digits)) return { mantissa: precision > 0 ? `0.${"0".repeat(precision)}` : "0", power: 0 };
  const kept = rounded(digits, precision + 1);
  const carried = kept.length - precision - 1;
  const all = kept.slice(0, precision + 1);
  return { mantissa: precision > 0 ? `${all[0]}.${all.slice(1)}` : all, power: point - 1 + carried };
}

/** Thrown by lexer and parser; the parser's entry turns it into a CompileError. */
export class SyntaxFault extends Error {
  readonly at: number;
  readonly hint: string | undefined;
  constructor(at: number, message: string, hint?: string) {
    super(message);
    this.at = at;
    this.hint = hint;
  }
}

export interface Quoted {
  bytes: boolean;
  content: string | Uint8Array;
  end: number;
}

/** Reads a string or bytes literal that may start here (prefixes r and b in any order and case), or gives undefined. */
export function readQuoted(source: string, at: number): Quoted | undefined {
  let raw = false;
  let bytes = false;
  let open = at;
  for (; open < at + 2; open++) {
    const unit = source.charCodeAt(open) | 32;
    if (unit === 114 && !raw) raw = true;
    else if (unit === 98 && !bytes) bytes = true;
    else break;
  }
  const quote = source.charAt(open);
  if (quote !== '"' && quote !== "'") return undefined;
  const triple = source.startsWith(quote.repeat(3), open);
  const start = open + (triple ? 3 : 1);
  const close = findClose(source, start, quote, triple, raw);
  if (close < 0)
    throw new SyntaxFault(at, "this string is never closed", triple ? undefined : "a string of several lines stands between triple quotes");
  const text = triple ? source.slice(start, close).replaceAll(/\r\n?/g, "\n") : source.slice(start, close);
  const content = bytes
    ? unescapeBytes(text, raw, start)
    : raw || !text.includes("\\")
      ? wellFormed(text, start)
      : unescapeText(text, start);
  return { bytes, content, end: close + (triple ? 3 : 1) };
}

function findClose(source: string, start: number, quote: string, triple: boolean, raw: boolean): number {
  for (let at = start; at < source.length; at++) {
    const char = source.charAt(at);
    if (char === "\\" && !raw) at++;
    else if (triple) {
      if (char === quote && source.startsWith(quote.repeat(3), at)) return at;
    } else if (char === quote) return at;
    else if (char === "\n" || char === "\r") return -1;
  }
  return -1;
}

const simple: Record<string, string> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "?": "?",
  '"': '"',
  "'": "'",
  "`": "`",
};
const escape = /\\(?:([abfnrtv\\?"'`])|([0-3][0-7]{2})|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/gu;

function unescapeText(text: string, start: number): string {
  return text.replace(escape, (_whole, plain?: string, octal?: string, hex?: string, short?: string, long?: string, ...rest: unknown[]) => {
    if (plain !== undefined) return simple[plain]!;
    const at = start + Number(rest.find((part) => typeof part === "number"));
    const digits = hex ?? short ?? long;
    if (octal === undefined && digits === undefined)
      throw new SyntaxFault(at, "unknown escape in a string", "a backslash is written \\\\, or the string raw: r'...'");
    return fromCode(octal === undefined ? Number.parseInt(digits!, 16) : Number.parseInt(octal, 8), at);
  });
}

function fromCode(code: number, at: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new SyntaxFault(at, "this escape names no Unicode character");
  return String.fromCodePoint(code);
}

function wellFormed(text: string, at: number): string {
  if (!text.isWellFormed()) throw new SyntaxFault(at, "half of a surrogate pair is no character");
  return text;
}

const encoder = new TextEncoder();

/** In bytes, \x and octal escapes are bytes, everything else its UTF-8; \u and \U are not allowed. */
function unescapeBytes(text: string, raw: boolean, start: number): Uint8Array {
  if (raw || !text.includes("\\")) return encoder.encode(wellFormed(text, start));
  const out: number[] = [];
  let end = 0;
  for (const part of text.matchAll(escape)) {
    out.push(...encoder.encode(text.slice(end, part.index)));
    end = part.index + part[0].length;
    const [, plain, octal, hex] = part;
    if (plain !== undefined) out.push(...encoder.encode(simple[plain]!));
    else if (octal !== undefined) out.push(Number.parseInt(octal, 8));
    else if (hex !== undefined) out.push(Number.parseInt(hex, 16));
    else throw new SyntaxFault(start + part.index, "unknown escape in bytes", "bytes know \\x and octal escapes, but neither \\u nor \\U");
  }
  out.push(...encoder.encode(text.slice(end)));
  return Uint8Array.from(out);
}

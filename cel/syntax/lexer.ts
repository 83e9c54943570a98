import { SyntaxFault, readQuoted, type Quoted } from "./literals.ts";

export type TokenKind = "ident" | "quotedIdent" | "int" | "uint" | "double" | "string" | "bytes" | "symbol" | "end";

export interface Token {
  kind: TokenKind;
  /** The identifier, the symbol, or a number as written (without the u of a uint). */
  text: string;
  at: number;
  end: number;
  /** The content of a string, bytes or quoted identifier. */
  content?: string | Uint8Array;
}

/** Splits a source into tokens; throws SyntaxFault. Grammar: the CEL language definition, section Syntax. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while ((at = skipBlank(source, at)) < source.length) {
    const token = next(source, at);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: "end", text: "", at: source.length, end: source.length });
  return tokens;
}

const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const quoted = /`[A-Za-z0-9_.\-/ ]+`/y;
const number = /0[xX][0-9a-fA-F]+[uU]?|(?:\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?/y;
const symbols = [
  "==",
  "!=",
  "<=",
  ">=",
  "&&",
  "||",
  "<",
  ">",
  "!",
  "-",
  "+",
  "*",
  "/",
  "%",
  "?",
  ":",
  ".",
  ",",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
];
const pairs = new Set(symbols.filter((symbol) => symbol.length === 2));
const singles = new Set(symbols.filter((symbol) => symbol.length === 1));

function skipBlank(source: string, from: number): number {
  let at = from;
  for (;;) {
    const unit = source.charCodeAt(at);
    if (unit === 32 || unit === 9 || unit === 10 || unit === 13 || unit === 12) at++;
    else if (unit === 47 && source.charCodeAt(at + 1) === 47) {
      const lineEnd = source.indexOf("\n", at);
      at = lineEnd < 0 ? source.length : lineEnd;
    } else return at;
  }
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.test(source) ? source.slice(at, pattern.lastIndex) : undefined;
}

function next(source: string, at: number): Token {
  const unit = source.charCodeAt(at);
  if (isLetter(unit)) {
    const string = readQuoted(source, at);
    if (string) return quotedToken(string, at);
    const text = match(identifier, source, at)!;
    return { kind: "ident", text, at, end: at + text.length };
  }
  if (unit === 34 || unit === 39) return quotedToken(readQuoted(source, at)!, at);
  if (isDigit(unit) || (unit === 46 && isDigit(source.charCodeAt(at + 1)))) return numberToken(source, at);
  if (unit === 96) {
    const text = match(quoted, source, at);
    if (!text) throw new SyntaxFault(at, "a quoted identifier may hold letters, digits, and _ . - / and spaces only");
    return { kind: "quotedIdent", text: text.slice(1, -1), at, end: at + text.length };
  }
  const pair = source.slice(at, at + 2);
  if (pairs.has(pair)) return { kind: "symbol", text: pair, at, end: at + 2 };
  const single = source.charAt(at);
  if (singles.has(single)) return { kind: "symbol", text: single, at, end: at + 1 };
  throw new SyntaxFault(at, `unexpected character ${JSON.stringify(String.fromCodePoint(source.codePointAt(at)!))}`, hints[single]);
}

const hints: Record<string, string> = {
  "=": "equality is ==",
  "&": "logical and is &&",
  "|": "logical or is ||",
  ";": "an expression has no statements",
  $: "there is no interpolation; a string is joined with +",
};

function numberToken(source: string, at: number): Token {
  const text = match(number, source, at)!;
  const end = at + text.length;
  const unsigned = /[uU]$/.test(text);
  const kind = unsigned ? "uint" : /^0[xX]/.test(text) || /^\d+$/.test(text) ? "int" : "double";
  return { kind, text: unsigned ? text.slice(0, -1) : text, at, end };
}

const quotedToken = ({ bytes, content, end }: Quoted, at: number): Token => ({
  kind: bytes ? "bytes" : "string",
  text: "",
  at,
  end,
  content,
});

const isDigit = (unit: number): boolean => unit >= 48 && unit <= 57;
const isLetter = (unit: number): boolean => (unit >= 65 && unit <= 90) || (unit >= 97 && unit <= 122) || unit === 95;

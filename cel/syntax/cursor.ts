import type { Token } from "./lexer.ts";
import { SyntaxFault } from "./literals.ts";

/** Goes through tokens, one after another; the last is the end, and stays. */
export class Cursor {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get peek(): Token {
    return this.#tokens[this.#next]!;
  }

  /** The token so many behind the next one. */
  ahead(count: number): Token {
    return this.#tokens[Math.min(this.#next + count, this.#tokens.length - 1)]!;
  }

  take(): Token {
    return this.#tokens[this.#next++]!;
  }

  back(): void {
    this.#next--;
  }

  skip(count: number): void {
    this.#next += count;
  }

  is(symbol: string): boolean {
    const token = this.peek;
    return token.text === symbol && (token.kind === "symbol" || (symbol === "in" && token.kind === "ident"));
  }

  /** Takes the symbol if it is next. */
  accept(symbol: string): Token | undefined {
    return this.is(symbol) ? this.take() : undefined;
  }

  expect(symbol: string, hint?: string): Token {
    const token = this.accept(symbol);
    if (token) return token;
    throw new SyntaxFault(this.peek.at, `expected '${symbol}', found ${describe(this.peek)}`, hint);
  }

  expectEnd(): void {
    if (this.peek.kind !== "end") throw new SyntaxFault(this.peek.at, `unexpected ${describe(this.peek)}`);
  }
}

/** A token as messages name it. */
export function describe(token: Token): string {
  if (token.kind === "end") return "the end";
  if (token.kind === "string") return "a string";
  return token.kind === "bytes" ? "bytes" : `'${token.text}'`;
}

import { CelError, type Value } from "../values/values.ts";
import { TypedReader } from "../schema/typed.ts";
import type { Type } from "../check/types.ts";
import type { Eval, Frame } from "./frame.ts";

/** A binding whose value is made when it is first read, and once an evaluation at most. An exception becomes a CEL error. */
export class Lazy {
  readonly make: () => unknown;
  constructor(make: () => unknown) {
    this.make = make;
  }
}

export const lazy = (make: () => unknown): Lazy => new Lazy(make);

interface Local {
  name: string;
  slot: number;
  init: Eval | undefined;
}

/** Where each variable of a program has its place. Slots are numbered; variables of the host come first. */
export class SlotTable {
  readonly names: string[] = [];
  readonly #globals = new Map<string, number>();
  #locals: Local[] = [];
  size = 0;

  global(name: string): number {
    const known = this.#globals.get(name);
    if (known !== undefined) return known;
    const slot = this.size++;
    this.#globals.set(name, slot);
    this.names.push(name);
    return slot;
  }

  local(name: string): Local {
    return this.#locals.findLast((known) => known.name === name)!;
  }

  /** Declares a comprehension's variable until leave(); with `init` its value is made when it is first read. */
  enter(name: string, init?: Eval): number {
    const slot = this.size++;
    this.#locals.push({ name, slot, init });
    return slot;
  }

  leave(count: number): void {
    this.#locals.length -= count;
  }
}

/** The value of a host variable: own keys of the bindings only. */
export function readBinding(frame: Frame, name: string, type: Type): Value {
  const raw = rawBinding(frame.bindings, name);
  if (raw === undefined) return new CelError(`no such attribute(s): ${name}`);
  try {
    const value = raw instanceof Lazy ? raw.make() : raw;
    return TypedReader.read(value, type);
  } catch (fault) {
    return new CelError(fault instanceof Error ? fault.message : String(fault));
  }
}

function rawBinding(bindings: object, name: string): unknown {
  if (bindings instanceof Map) return bindings.get(name) as unknown;
  return Object.hasOwn(bindings, name) ? (bindings as Record<string, unknown>)[name] : undefined;
}

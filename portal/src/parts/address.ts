import { useSearchParams } from "react-router";

/** What a page shows stands in its address, so that it can be sent to somebody and is there again after going back. */
export interface Address {
  /** What the address says of it; null where it says nothing. */
  get: (name: string) => string | null;
  /** The value that the address names, or the first of them where it names none. */
  oneOf: <const T extends readonly [string, ...string[]]>(name: string, values: T) => T[number];
  has: (name: string) => boolean;
  /** Says something else of these alone, from the newest on; what is null or empty goes out of the address. */
  set: (values: Readonly<Record<string, string | null>>) => void;
  /** Goes on to what is older than this, or back to the newest; where a list goes by place, `from` that one: a step of its own, that going back undoes. */
  turn: (to: string | null, by?: "before" | "from") => void;
  /** Nothing at all. */
  clear: () => void;
  isBare: boolean;
}

export function useAddress(): Address {
  const [search, setSearch] = useSearchParams();
  const said = (values: Readonly<Record<string, string | null>>) => (now: URLSearchParams) => {
    const next = new URLSearchParams(now);
    for (const [name, value] of Object.entries(values))
      if (value) next.set(name, value);
      else next.delete(name);
    return next;
  };
  return {
    get: (name) => search.get(name) || null,
    oneOf: (name, values) => values.find((value) => value === search.get(name)) ?? values[0],
    has: (name) => search.has(name),
    set: (values) => setSearch(said({ before: null, from: null, ...values }), { replace: true }),
    turn: (to, by = "before") => {
      setSearch(said({ [by]: to }));
      window.scrollTo(0, 0);
    },
    clear: () => setSearch({}, { replace: true }),
    isBare: search.size === 0,
  };
}

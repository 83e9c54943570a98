/** What a plan was made on: a name and the digest or version of each thing it read. */
export type Basis = Record<string, string>;

/** The names whose value is no longer what the plan was made on, sorted. */
export const differing = (planned: Basis, now: Basis): string[] =>
  [...new Set([...Object.keys(planned), ...Object.keys(now)])].filter((name) => planned[name] !== now[name]).sort();

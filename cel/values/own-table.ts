/** A table without a prototype: a name like `constructor`, which an expression may well hold, finds nothing in it. */
export const ownTable = <T>(entries: Record<string, T>): Readonly<Record<string, T>> =>
  Object.assign(Object.create(null) as Record<string, T>, entries);

import type { Entity } from "./model.ts";

type Json = Record<string, unknown>;

/** Of an entity the fields of these paths (`metadata.name`; keys may hold dots themselves); all of it where none is asked for. */
export function picked(entity: Entity, paths: readonly string[]): Json {
  if (paths.length === 0) return entity;
  const result: Json = {};
  for (const path of paths) copy(entity, result, path);
  return result;
}

function copy(from: Json, to: Json, path: string): void {
  if (Object.hasOwn(from, path)) {
    define(to, path, from[path]);
    return;
  }
  for (const [key, value] of Object.entries(from)) {
    if (!path.startsWith(`${key}.`) || !isMap(value)) continue;
    const inner = Object.hasOwn(to, key) && isMap(to[key]) ? to[key] : {};
    const before = Object.keys(inner).length;
    copy(value, inner, path.slice(key.length + 1));
    if (Object.keys(inner).length > before) define(to, key, inner);
  }
}

/** As a property of its own, whatever its name: `__proto__` too. */
const define = (to: Json, key: string, value: unknown) =>
  Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true });
const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

import { randomUUID } from "node:crypto";

/** Keeps items in memory{{ ": for tests" if database else ", until the process ends" }}. */
export function memoryItems() {
  const items = new Map();
  return {
    async add({ name, note }) {
      const item = { id: randomUUID(), name, note, createdAt: new Date().toISOString() };
      items.set(item.id, item);
      return item;
    },
    async find(id) {
      return items.get(id.toLowerCase());
    },
    async list({ limit, after }) {
      const all = [...items.values()];
      const start = after === null ? 0 : all.findIndex((item) => item.id === after.toLowerCase()) + 1;
      return after !== null && start === 0 ? [] : all.slice(start, start + limit);
    },
    async ready() {},
    async close() {},
  };
}

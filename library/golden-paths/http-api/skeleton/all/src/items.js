import { Problem, readJson, sendJson } from "./http.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const FIELDS = ["name", "note"];

/**
 * Routes of /items over a place that keeps them: `add({ name, note })`, `find(id)`, `list({ limit, after })`. Another resource is another file like this one.
 */
export const itemRoutes = (items) => [
  {
    path: "/items",
    methods: {
      async GET(request, response, { query }) {
        const limit = Number(query.get("limit") ?? 50);
        if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw new Problem(400, "limit: a whole number from 1 to 200");
        const after = query.get("after");
        if (after !== null && !UUID.test(after)) throw new Problem(400, "after: the id of an item");
        const found = await items.list({ limit, after });
        sendJson(request, response, 200, { items: found, next: found.length === limit ? found.at(-1).id : null });
      },
      async POST(request, response) {
        const item = await items.add(checked(await readJson(request)));
        sendJson(request, response, 201, item, { location: `/items/${item.id}` });
      },
    },
  },
  {
    path: "/items/{id}",
    methods: {
      async GET(request, response, { id }) {
        const item = UUID.test(id) ? await items.find(id) : undefined;
        if (!item) throw new Problem(404, "There is no such item");
        sendJson(request, response, 200, item);
      },
    },
  },
];

function checked(body) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Problem(400, "An item is a JSON object");
  const unknown = Object.keys(body).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw new Problem(400, `${unknown.slice(0, 50)}: not a field of an item`);
  return { name: text(body, "name", 1, 100), note: text({ note: "", ...body }, "note", 0, 1000) };
}

function text(body, field, min, max) {
  const value = body[field];
  if (typeof value !== "string") throw new Problem(400, `${field}: a text`);
  const trimmed = value.trim();
  if (trimmed.length < min || trimmed.length > max) throw new Problem(400, `${field}: ${min} to ${max} characters`);
  if (trimmed.includes("\0")) throw new Problem(400, `${field}: no zero character`);
  return trimmed;
}

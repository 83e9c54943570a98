import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, describe, test } from "node:test";
import { memoryItems } from "../src/memory-items.js";
import { createService } from "../src/service.js";
import { stores } from "./stores.js";

const silent = { info() {}, error() {} };

for (const [name, open] of Object.entries({ "in memory": async () => ({ items: memoryItems(), remove: async () => {} }), ...stores }))
  describe(`items ${name}`, async () => {
    const { items, remove } = await open();
    const service = createService({ items, log: silent });
    const url = `http://127.0.0.1:${await service.listen(0)}`;
    after(async () => {
      await service.stop();
      await remove();
    });
    const post = (body, headers = { "content-type": "application/json" }) => fetch(`${url}/items`, { method: "POST", headers, body });
    const get = async (path) => (await fetch(url + path)).json();

    test("what is no item is refused, and says why", async () => {
      for (const [body, status, detail] of [
        ["{", 400, /not JSON/],
        ["[]", 400, /JSON object/],
        ["{}", 400, /^name/],
        ['{"name": 1}', 400, /^name/],
        ['{"name": "  "}', 400, /^name/],
        ['{"name": "a\\u0000b"}', 400, /^name/],
        ['{"name": "a", "price": 1}', 400, /^price/],
        [JSON.stringify({ name: "a".repeat(101) }), 400, /^name/],
        [JSON.stringify({ name: "a", note: "a".repeat(70_000) }), 413, /bytes/],
      ]) {
        const response = await post(body);
        assert.equal(response.status, status, body.slice(0, 40));
        assert.equal(response.headers.get("content-type"), "application/problem+json");
        assert.match((await response.json()).detail, detail);
      }
      assert.equal((await post("name=a", { "content-type": "application/x-www-form-urlencoded" })).status, 415);
    });

    test("an item is added, found by its id, and listed", async () => {
      const response = await post('{"name": " first ", "note": "one"}');
      assert.equal(response.status, 201);
      const item = await response.json();
      assert.equal(item.name, "first");
      assert.equal(response.headers.get("location"), `/items/${item.id}`);
      assert.deepEqual(await get(`/items/${item.id}`), item);
      assert.deepEqual((await get("/items")).items.at(-1), item);
    });

    test("the list comes in pages, in the order of adding", async () => {
      for (let n = 0; n < 5; n++) assert.equal((await post(`{"name": "page ${n}"}`)).status, 201);
      const names = [];
      for (let next = ""; next !== null; ) {
        const page = await get(`/items?limit=2${next && `&after=${next}`}`);
        assert.ok(page.items.length <= 2);
        names.push(...page.items.map((item) => item.name));
        next = page.next;
      }
      assert.deepEqual(names.slice(-5), ["page 0", "page 1", "page 2", "page 3", "page 4"]);
      for (const query of ["limit=0", "limit=201", "limit=x", "after=x"]) assert.equal((await fetch(`${url}/items?${query}`)).status, 400, query);
    });

    test("an item that is not there is not found", async () => {
      for (const id of [randomUUID(), "1", "%00", "'--"]) assert.equal((await fetch(`${url}/items/${id}`)).status, 404, id);
    });

    test("it is ready", async () => {
      await items.ready();
      assert.equal((await fetch(`${url}/readyz`)).status, 200);
    });
  });

import assert from "node:assert/strict";
import { Agent, request as httpRequest } from "node:http";
import { once } from "node:events";
import { after, test } from "node:test";
import { createLog } from "../src/log.js";
import { memoryItems } from "../src/memory-items.js";
import { createService } from "../src/service.js";
import { traceOf } from "../src/trace.js";

let written = "";
const log = createLog("test", (text) => (written += text));

async function start(items = memoryItems()) {
  const service = createService({ items, log });
  const url = `http://127.0.0.1:${await service.listen(0)}`;
  after(() => service.stop());
  return { service, url };
}

test("unknown paths and methods are problems", async () => {
  const { url } = await start();
  const nothing = await fetch(`${url}/nothing`);
  assert.equal(nothing.status, 404);
  assert.deepEqual(await nothing.json(), { type: "about:blank", title: "Not found", status: 404, detail: "Nothing is here" });
  const refused = await fetch(`${url}/items`, { method: "DELETE" });
  assert.equal(refused.status, 405);
  assert.equal(refused.headers.get("allow"), "GET, POST");
});

test("its address says what there is", async () => {
  const { url } = await start();
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  const { routes } = await answer.json();
  assert.deepEqual(routes[0], { path: "/items", methods: ["GET", "POST"] });
});

test("what fails inside is answered as 500 without its reason, and logged with it", async () => {
  const { url } = await start({ ...memoryItems(), list: async () => Promise.reject(new Error("secret reason")) });
  const response = await fetch(`${url}/items`);
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes("secret"));
  await logged(/secret reason/);
});

test("without what it needs it is alive but not ready", async () => {
  const { url } = await start({ ...memoryItems(), ready: async () => Promise.reject(new Error("no database")) });
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const response = await fetch(`${url}/readyz`);
  assert.equal(response.status, 503);
  assert.equal((await response.json()).detail, "no database");
});

test("metrics count requests by method, route and status", async () => {
  const { url } = await start();
  for (const path of ["/items", "/items", "/items/1", "/nothing", "/healthz"]) await (await fetch(url + path)).text();
  const text = await (await fetch(`${url}/metrics`)).text();
  const count = (route, status) =>
    Number(new RegExp(`_count\\{http_request_method="GET",http_route="${route}",http_response_status_code="${status}"\\} (\\d+)`).exec(text)?.[1]);
  assert.equal(count("/items", 200), 2);
  assert.equal(count("/items/\\{id\\}", 404), 1);
  assert.equal(count("", 404), 1);
  assert.match(text, /_bucket\{[^}]*http_route="\/items",[^}]*le="0.3"\} 2/);
  assert.ok(!text.includes("healthz"));
});

test("a log line carries the caller's trace", async () => {
  const { url } = await start();
  const trace = "0af7651916cd43dd8448eb211c80319c";
  await (await fetch(`${url}/items`, { headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` } })).text();
  const line = JSON.parse(await logged(new RegExp(trace)));
  assert.equal(line.trace_id, trace);
  assert.equal(line.route, "/items");
  assert.equal(line.status, 200);
  for (const broken of [undefined, "", "00-0-0-0", `00-${"0".repeat(32)}-b7ad6b7169203331-01`]) assert.match(traceOf(broken).trace_id, /^[0-9a-f]{32}$/);
});

test("a stop answers what is under way, closes idle connections, and is not ready meanwhile", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const { service, url } = await start({ ...memoryItems(), list: () => held });
  const agent = new Agent({ keepAlive: true });
  await (await fetch(`${url}/healthz`)).text(); // leaves an idle connection behind
  const waiting = httpRequest(`${url}/items`, { agent }).end();
  const answered = once(waiting, "response");
  await once(waiting, "finish");
  await (await fetch(`${url}/healthz`)).text(); // by now the server has begun the other one
  const stopped = service.stop();
  release([]);
  const [response] = await answered;
  assert.equal(response.statusCode, 200);
  response.resume();
  await stopped;
  await assert.rejects(fetch(`${url}/healthz`));
  agent.destroy();
});

/** The first log line that fits, as soon as it is written; after ten seconds it fails with what was. */
async function logged(pattern) {
  for (let waits = 0; waits < 1000; waits++) {
    const line = written.split("\n").find((one) => pattern.test(one));
    if (line) return line;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`Nothing that was logged fits ${pattern}:\n${written}`);
}

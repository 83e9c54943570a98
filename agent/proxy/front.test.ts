import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { connect, createServer as createNetServer, type AddressInfo, type Server as NetServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Pool } from "../light.ts";
import { ask, eventually } from "../testing/fixture.ts";
import { CallerCounts, Callers } from "./callers.ts";
import { Counters } from "./counters.ts";
import type { Arm, Route } from "./forward.ts";
import { openFront } from "./front.ts";
import { SlowClients } from "./slow.ts";
import { Split } from "./split.ts";
import { Upgrades } from "./upgrade.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const portOf = (server: Server | NetServer): number => (server.address() as AddressInfo).port;

async function listening<S extends Server | NetServer>(server: S): Promise<S> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  open.push(() => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    server.close();
  });
  return server;
}

const aService = (handle: RequestListener): Promise<Server> => listening(createServer(handle));

const anArm = (port: number, id = "aaaaaaaaaaaa"): Arm => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { headersTimeout: 120_000, bodyTimeout: 0 });
  open.push(() => void pool.destroy());
  return { id, digest: `sha256:${id}`, port, pool, counters: new Counters() };
};

/** A proxy in front of arms; without weights the first gets everything, and the others are where retries go. */
async function aProxy(arms: Arm[], upgrades = new Upgrades(), slow = new SlowClients()) {
  const split = new Split(arms.slice(0, 1).map((arm) => ({ arm, weightPercent: 100 })));
  const route: Route = {
    name: "orders in dev",
    closing: false,
    callers: new CallerCounts(new Callers(() => [])),
    slow,
    next: () => split.next(),
    another: (failed) => arms.find((arm) => arm !== failed) ?? failed,
  };
  const front = await openFront({ route, upgrades, port: 0 });
  open.push(() => {
    front.closeAllConnections();
    front.close();
  });
  return { port: portOf(front), url: `http://127.0.0.1:${portOf(front)}`, route };
}

/** Sends bytes as they are and gives all that comes back until the connection closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

const echo: RequestListener = (request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body })));
};
const seenBy = (answer: string) =>
  JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as { url: string; headers: IncomingMessage["headers"]; body: string };

test.each([
  ["two Host headers", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
  ["no Host header", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"],
  ["an absolute target of another host", "GET http://elsewhere/x HTTP/1.1\r\nHost: here\r\n\r\n"],
  ["a target that is neither path nor http URL", "OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n"],
  ["a length and chunks at once", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"],
])("a request with %s is answered 400 and reaches no service", async (_what, text) => {
  let reached = false;
  const service = await aService((_request, response) => {
    reached = true;
    response.end();
  });
  const { port } = await aProxy([anArm(portOf(service))]);
  expect(await raw(port, text)).toMatch(/^HTTP\/1.1 400 /);
  expect(reached).toBe(false);
});

test("an absolute target is passed on as its path", async () => {
  const service = await aService(echo);
  const { port } = await aProxy([anArm(portOf(service))]);
  const answer = await raw(
    port,
    `GET http://127.0.0.1:${port}/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
  expect(seenBy(await dechunked(answer)).url).toBe("/x?y=1");
});

test("headers of one hop, those named in Connection, and forged ones are not passed on; forwarding and trace headers are added", async () => {
  const service = await aService(echo);
  const { port } = await aProxy([anArm(portOf(service))]);
  const answer = await raw(
    port,
    [
      "GET / HTTP/1.1",
      "Host: shop.example",
      "Connection: close, X-Private, Host",
      "X-Private: 1",
      "X-Forwarded-For: 6.6.6.6",
      "X-Cairn-Revision: forged",
      "Proxy-Authorization: Basic x",
      "TE: trailers",
      "X-Kept: yes",
      "",
      "",
    ].join("\r\n"),
  );
  const { headers } = seenBy(await dechunked(answer));
  expect(headers).toMatchObject({
    host: "shop.example",
    "x-kept": "yes",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "shop.example",
    "x-forwarded-proto": "http",
  });
  for (const gone of ["x-private", "x-cairn-revision", "proxy-authorization", "te"]) expect(headers).not.toHaveProperty(gone);
  expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("a valid trace goes on, another is begun in place of an invalid one", async () => {
  const service = await aService((request, response) => response.end(request.headers.traceparent));
  const { url } = await aProxy([anArm(portOf(service))]);
  const valid = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  expect((await ask(url, { headers: { traceparent: valid } })).body).toBe(valid);
  const invalid = `00-${"0".repeat(32)}-${"b".repeat(16)}-01`;
  expect((await ask(url, { headers: { traceparent: invalid } })).body).not.toBe(invalid);
});

test("the answer names revision and digest, whatever the service says, and keeps repeated headers", async () => {
  const service = await aService((_request, response) => {
    response.writeHead(201, ["X-Cairn-Revision", "forged", "Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
    response.end("made");
  });
  const { url } = await aProxy([anArm(portOf(service))]);
  const answer = await ask(url);
  expect(answer).toMatchObject({
    status: 201,
    body: "made",
    headers: { "x-cairn-revision": "aaaaaaaaaaaa", "x-cairn-digest": "sha256:aaaaaaaaaaaa", "set-cookie": ["a=1", "b=2"] },
  });
});

test("bodies go through both ways whole: chunked, with a length, with 100-continue, with trailers", async () => {
  const service = await aService((request, response) => {
    let size = 0;
    request.on("data", (chunk: Buffer) => (size += chunk.length));
    request.on("end", () => {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("x".repeat(size));
      response.addTrailers({ "x-sum": String(size) });
      response.end();
    });
  });
  const { port, url } = await aProxy([anArm(portOf(service))]);
  const big = Buffer.alloc(3_000_000, "a");
  expect((await (await fetch(url, { method: "POST", body: big })).text()).length).toBe(big.length);
  const chunked = await raw(
    port,
    "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
  );
  expect(chunked).toContain("\r\nxxxxx\r\n");
  expect(chunked).toMatch(/x-sum: 5/i);
  const expecting = await raw(
    port,
    "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
  );
  expect(expecting).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
});

test("an answer without end reaches the client piece by piece, and its end reaches the service when the client goes", async () => {
  let gone = false;
  const service = await aService((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    request.on("close", () => (gone = true));
  });
  const arm = anArm(portOf(service));
  const { url } = await aProxy([arm]);
  const controller = new AbortController();
  const response = await fetch(url, { signal: controller.signal });
  const { value } = await (response.body as ReadableStream<Uint8Array>).getReader().read();
  expect(Buffer.from(value as Uint8Array).toString()).toBe("data: 1\n\n");
  controller.abort();
  await eventually(() => gone && arm.counters.inFlight === 0);
  expect(arm.counters).toMatchObject({ requests: 1, errors: 0 });
});

test("a client that does not read holds the service back, not our memory", async () => {
  let written = 0;
  const total = 64 * 1024 * 1024;
  const service = await aService((_request, response) => {
    const piece = Buffer.alloc(64 * 1024);
    const more = () => {
      while (written < total) {
        written += piece.length;
        if (!response.write(piece)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  });
  const { port } = await aProxy([anArm(portOf(service))]);
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  socket.pause();
  let before = -1;
  await eventually(async () => {
    const still = written > 0 && written === before;
    before = written;
    await new Promise((wake) => setTimeout(wake, 100));
    return still;
  });
  expect(written).toBeLessThan(total / 2);
  let read = 0;
  socket.on("data", (chunk: Buffer) => (read += chunk.length));
  socket.resume();
  await eventually(() => read > total);
  socket.destroy();
});

test("a reset before the first byte: GET is sent to another revision and counted against the one that failed; POST is not repeated", async () => {
  let resets = 0;
  const broken = await listening(
    createNetServer((socket) =>
      socket.once("data", () => {
        resets += 1;
        socket.resetAndDestroy();
      }),
    ),
  );
  const service = await aService((_request, response) => response.end("well"));
  const bad = anArm(portOf(broken), "bbbbbbbbbbbb");
  const good = anArm(portOf(service));
  const { url } = await aProxy([bad, good]);
  expect(await ask(url)).toMatchObject({ status: 200, body: "well", headers: { "x-cairn-revision": good.id } });
  expect(bad.counters).toMatchObject({ requests: 1, errors: 1, inFlight: 0 });
  expect(good.counters).toMatchObject({ requests: 1, errors: 0, inFlight: 0 });
  const posted = await ask(url, { method: "POST" });
  expect(posted).toMatchObject({ status: 502, headers: { "x-cairn-revision": bad.id, "x-cairn-digest": bad.digest } });
  expect(JSON.parse(posted.body)).toMatchObject({ code: "proxy.no_answer", next: expect.any(String) });
  expect(resets).toBe(2);
  expect(good.counters.requests).toBe(1);
});

test("a POST whose body was being sent is answered 502 when the service goes, not cut off", async () => {
  const broken = await listening(createNetServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
  const { url } = await aProxy([anArm(portOf(broken))]);
  const response = await fetch(url, { method: "POST", body: Buffer.alloc(10_000) });
  expect(response.status).toBe(502);
  await response.text();
});

test("an answer that is cut off in the middle counts as an error and reaches the client as cut off", async () => {
  const service = await aService((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  });
  const arm = anArm(portOf(service));
  const { url } = await aProxy([arm]);
  await expect(ask(url)).rejects.toThrow();
  expect(arm.counters).toMatchObject({ requests: 1, errors: 1, inFlight: 0 });
});

test("HEAD, 204 and 304 have no body and do not hang", async () => {
  const service = await aService((request, response) => {
    if (request.url === "/none") return response.writeHead(204).end();
    if (request.url === "/same") return response.writeHead(304, { etag: "x" }).end();
    return response.writeHead(200, { "content-length": "1000" }).end();
  });
  const { url } = await aProxy([anArm(portOf(service))]);
  expect(await ask(url, { method: "HEAD" })).toMatchObject({ status: 200, headers: { "content-length": "1000" } });
  expect(await ask(`${url}/none`)).toMatchObject({ status: 204, body: "" });
  expect(await ask(`${url}/same`)).toMatchObject({ status: 304, body: "" });
});

test("a WebSocket handshake joins both ends and counts as in flight until it closes; a cut ends it", async () => {
  const service = await aService((_request: IncomingMessage, response: ServerResponse) => response.writeHead(426).end());
  service.on("upgrade", (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${request.headers["sec-websocket-key"]}\r\n\r\n`,
    );
    socket.on("data", (chunk: Buffer) => socket.write(`echo ${chunk.toString()}`));
    socket.on("error", () => {});
  });
  const arm = anArm(portOf(service));
  const upgrades = new Upgrades();
  const { port } = await aProxy([arm], upgrades);
  const socket = connect(port, "127.0.0.1");
  let said = "";
  socket.on("data", (chunk) => (said += chunk.toString()));
  socket.write("GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n");
  await eventually(() => said.includes("\r\n\r\n"));
  expect(said).toMatch(/^HTTP\/1.1 101 /);
  expect(said).toContain("x-cairn-revision: aaaaaaaaaaaa");
  socket.write("hello");
  await eventually(() => said.includes("echo hello"));
  expect(arm.counters).toMatchObject({ requests: 1, errors: 0, inFlight: 1 });
  expect(upgrades.cut(arm)).toBe(1);
  await eventually(() => socket.closed && arm.counters.inFlight === 0);
});

test("an upgrade to anything but WebSocket is an ordinary request", async () => {
  const service = await aService(echo);
  const { port } = await aProxy([anArm(portOf(service))]);
  const answer = await raw(
    port,
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: x\r\n\r\n",
  );
  const { headers } = seenBy(await dechunked(answer));
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(headers).not.toHaveProperty("upgrade");
  expect(headers).not.toHaveProperty("http2-settings");
});

/** The answer with a chunked body put together. */
async function dechunked(answer: string): Promise<string> {
  const at = answer.indexOf("\r\n\r\n") + 4;
  if (!/transfer-encoding: chunked/i.test(answer.slice(0, at))) return answer;
  let body = "";
  for (let rest = answer.slice(at); ;) {
    const line = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, line), 16);
    if (!size) return answer.slice(0, at) + body;
    body += rest.slice(line + 2, line + 2 + size);
    rest = rest.slice(line + 4 + size);
  }
}

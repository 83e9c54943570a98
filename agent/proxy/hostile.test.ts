import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Pool } from "../light.ts";
import { ask, eventually } from "../testing/fixture.ts";
import { CallerCounts, Callers } from "./callers.ts";
import { Counters } from "./counters.ts";
import type { Arm } from "./forward.ts";
import { openFront } from "./front.ts";
import { SlowClients } from "./slow.ts";
import { Upgrades } from "./upgrade.ts";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A proxy before a service that is as lenient about HTTP as it can be: what gets through to it, it believes. */
async function aProxy(options: { headersSeconds?: number; mostConnections?: number; body?: Buffer } = {}) {
  const seen: string[] = [];
  const { body, ...front } = options;
  const service = createServer({ insecureHTTPParser: true }, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().on("end", () => response.end(body ?? "well"));
  });
  service.on("clientError", (_error, socket) => socket.destroy());
  await new Promise<void>((done) => service.listen(0, "127.0.0.1", done));
  const pool = new Pool(`http://127.0.0.1:${portOf(service)}`, { headersTimeout: 120_000, bodyTimeout: 0 });
  const arm: Arm = { id: "aaaaaaaaaaaa", digest: "sha256:a", port: portOf(service), pool, counters: new Counters() };
  const slow = new SlowClients();
  const route = {
    name: "orders in dev",
    closing: false,
    slow,
    callers: new CallerCounts(new Callers(() => [])),
    next: () => arm,
    another: () => arm,
  };
  const server = await openFront({ route, upgrades: new Upgrades(), port: 0, ...front });
  open.push(() => {
    for (const one of [server, service]) {
      one.closeAllConnections();
      one.close();
    }
    void pool.destroy();
  });
  return { port: portOf(server), url: `http://127.0.0.1:${portOf(server)}`, seen, arm, slow, server };
}

/** Sends bytes as they are; gives all that comes back until the connection closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? resolve(answer) : reject(error)));
  });
}

function hold(port: number, text: string): { socket: Socket; answer: () => string; closed: () => boolean } {
  let answer = "";
  let closed = false;
  const socket = connect(port, "127.0.0.1", () => socket.write(text));
  socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.on("close", () => (closed = true));
  open.push(() => socket.destroy());
  return { socket, answer: () => answer, closed: () => closed };
}

const HIDDEN = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const post = (headers: string, body = HIDDEN) => `POST /first HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`;

test.each<[string, string]>([
  ["a length and chunks (CL.TE)", post("Content-Length: 6\r\nTransfer-Encoding: chunked", `0\r\n\r\n${HIDDEN}`)],
  ["chunks and a length (TE.CL)", post("Transfer-Encoding: chunked\r\nContent-Length: 4", `2b\r\n${HIDDEN}\r\n0\r\n\r\n`)],
  ["two transfer encodings, one unknown", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", `0\r\n\r\n${HIDDEN}`)],
  ["an encoding that is not chunked", post("Transfer-Encoding: xchunked", `0\r\n\r\n${HIDDEN}`)],
  ["chunked before another encoding", post("Transfer-Encoding: chunked, identity", `0\r\n\r\n${HIDDEN}`)],
  ["a space before the colon", post("Transfer-Encoding : chunked", `0\r\n\r\n${HIDDEN}`)],
  ["a folded header", post("X: y\r\n Transfer-Encoding: chunked", `0\r\n\r\n${HIDDEN}`)],
  ["a folded value", post("Transfer-Encoding:\r\n chunked", `0\r\n\r\n${HIDDEN}`)],
  ["two different lengths", post("Content-Length: 0\r\nContent-Length: 37")],
  ["twice the same length", post("Content-Length: 37\r\nContent-Length: 37")],
  ["a list of lengths", post("Content-Length: 0, 37")],
  ["a length with a sign", post("Content-Length: +37")],
  ["a negative length", post("Content-Length: -1")],
  ["a length in hex", post("Content-Length: 0x25")],
  ["a length with a space in it", post("Content-Length: 3 7")],
  ["a length past 2^64", post("Content-Length: 18446744073709551653")],
  ["bare line feeds", `POST /first HTTP/1.1\nHost: a\nContent-Length: 0\n\n${HIDDEN}`],
  ["a bare line feed in a header", post("X: y\nTransfer-Encoding: chunked", `0\r\n\r\n${HIDDEN}`)],
  ["a bare carriage return in a header", post("X: y\rTransfer-Encoding: chunked\r\nContent-Length: 0")],
  ["a NUL in a header", post("X: \0\r\nContent-Length: 0")],
  ["a header without a colon", post("Transfer-Encoding chunked", `0\r\n\r\n${HIDDEN}`)],
  ["a header without a name", post(": chunked\r\nContent-Length: 0")],
  ["a space before the first header", `POST /first HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n${HIDDEN}`],
  ["a space in the target", `GET /first /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a line break in the target", `GET /first%0d%0a\rX: y HTTP/1.1\r\nHost: a\r\n\r\n`],
  ["a version that is none", `GET /first HTTP/1.1x\r\nHost: a\r\n\r\n${HIDDEN}`],
  ["the preface of HTTP/2", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${HIDDEN}`],
  ["chunks in HTTP/1.0", `POST /first HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${HIDDEN}`],
  ["a target that is an authority", `CONNECT other:80 HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`],
  ["a head of 20 KiB", post(`X: ${"y".repeat(20_000)}\r\nContent-Length: 0`)],
])("a request with %s is refused, and what it hides reaches no service", async (_what, text) => {
  const { port, seen, url, arm } = await aProxy();
  const answer = await raw(port, text);
  expect(answer).toMatch(/^(HTTP\/1\.1 (400|431|501|505) |$)/);
  expect(answer.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThanOrEqual(1);
  expect(seen).toEqual([]);
  expect((await ask(`${url}/next`)).body).toBe("well");
  expect(seen).toEqual(["GET /next"]);
  expect(arm.counters).toMatchObject({ requests: 1, errors: 0, inFlight: 0 });
});

test.each<[string, string]>([
  ["a size in another notation", `0x3\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["a negative size", `-1\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["a size past 2^64", `10000000000000003\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["more bytes than its size", `3\r\nabcdef\r\n0\r\n\r\n${HIDDEN}`],
  ["a bare line feed after its size", `3\nabc\r\n0\r\n\r\n${HIDDEN}`],
  ["a bare line feed after its bytes", `3\r\nabc\n0\r\n\r\n${HIDDEN}`],
  ["a bare line feed in its extension", `3;a\nb\r\nabc\r\n0\r\n\r\n${HIDDEN}`],
])("a chunk with %s ends the request and its connection; what follows reaches no service", async (_what, body) => {
  const { port, seen, url, arm } = await aProxy();
  const answer = await raw(port, post("Transfer-Encoding: chunked", body));
  expect(answer).not.toMatch(/ 200 /);
  await eventually(() => arm.counters.inFlight === 0);
  expect(seen).not.toContain("GET /smuggled");
  expect((await ask(`${url}/next`)).body).toBe("well");
  expect(arm.counters.errors).toBe(0); // it is the client's fault
});

test("requests one after the other on a connection are answered in order, each for itself", async () => {
  const { port, seen, arm } = await aProxy();
  const one = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  const two = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /";
  const answer = await raw(port, `${one}${two}GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  expect(answer.match(/HTTP\/1\.1 200 /g)).toHaveLength(3);
  expect(seen.toSorted()).toEqual(["GET /a", "GET /c", "POST /b"]);
  expect(arm.counters).toMatchObject({ requests: 3, errors: 0, inFlight: 0 });
});

test("a head that comes drop by drop is answered 408 and cut, while others are served", async () => {
  const { port, url, seen } = await aProxy({ headersSeconds: 1 });
  const slow = Array.from({ length: 50 }, () => hold(port, "GET /slow HTTP/1.1\r\nHost: a\r\nX-A"));
  const dripping = setInterval(() => slow.forEach(({ socket }) => socket.writable && socket.write("a")), 100);
  open.push(() => clearInterval(dripping));
  expect((await ask(url)).status).toBe(200);
  await eventually(() => slow.every(({ closed }) => closed()));
  expect(slow[0]?.answer()).toMatch(/^HTTP\/1\.1 408 /);
  expect(seen).toEqual(["GET /"]);
});

test("a body that comes drop by drop is answered 408 after its time, and holds no connection to the service any more; one that moves goes on", async () => {
  const { port, url, arm, slow } = await aProxy();
  const drip = hold(port, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\na");
  const steady = hold(port, "POST /steady HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40000\r\n\r\n");
  await eventually(() => slow.size === 2);
  for (let look = 0; look < 7; look++) {
    drip.socket.write("a");
    steady.socket.write("x".repeat(4000));
    await eventually(() => steady.socket.writableLength === 0);
    await ask(url); // meanwhile the bytes have come
    slow.look(5);
  }
  await eventually(drip.closed);
  expect(drip.answer()).toMatch(/^HTTP\/1\.1 408 /);
  expect(drip.answer()).toContain("proxy.body_too_slow");
  steady.socket.write("x".repeat(12_000));
  await eventually(steady.closed);
  expect(steady.answer()).toMatch(/^HTTP\/1\.1 200 /);
  await eventually(() => arm.counters.inFlight === 0 && slow.size === 0);
  expect(arm.counters.errors).toBe(0);
});

test("a client that takes nothing of its answer is cut after its time, and counts as no error of the service", async () => {
  const { port, arm, slow } = await aProxy({ body: Buffer.alloc(64 * 1024 * 1024) });
  const idle = hold(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  idle.socket.pause();
  await eventually(() => slow.size === 1);
  await eventually(() => {
    slow.look(60);
    return slow.size === 0;
  });
  await eventually(() => arm.counters.inFlight === 0);
  expect(arm.counters).toMatchObject({ requests: 1, errors: 0 });
});

test("what waits for the service, not for the client, is not ended", () => {
  const slow = new SlowClients();
  let ended = false;
  slow.add({ waits: () => false, moved: () => 0, giveUp: () => (ended = true) }, 30);
  for (let look = 0; look < 100; look++) slow.look(5);
  expect(ended).toBe(false);
});

test("more connections than an address may have are closed at once, and those that are there go on", async () => {
  const { port, server } = await aProxy({ mostConnections: 3 });
  const held = Array.from({ length: 3 }, () => hold(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  await eventually(() => held.every(({ answer }) => answer().includes("200 OK")));
  expect(await raw(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toBe("");
  held[0]?.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => held[0]?.answer().match(/200 OK/g)?.length === 2);
  expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(3);
});

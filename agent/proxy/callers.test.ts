import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { CallerCounts, Callers, OUTSIDE, type ServiceProcesses } from "./callers.ts";

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** An address that counts who calls it. */
async function anAddress(services: ServiceProcesses[]) {
  const counts = new CallerCounts(new Callers(() => services));
  const server = createServer((request, response) => {
    counts.count(request.socket);
    response.end("ok");
  });
  server.on("connection", (socket) => counts.connected(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ended.push(() => (server.closeAllConnections(), server.close()));
  const counted = () => Object.fromEntries(counts.counts().map(({ caller, requests }) => [caller, requests]));
  return { port: (server.address() as AddressInfo).port, counted };
}

/** A process that asks so often on one connection, and keeps that open. */
async function aCaller(port: number, host: string, times: number, user?: number): Promise<ChildProcess> {
  const script = `
    const { Agent, get } = require("node:http");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (left) => left && get({ host: ${JSON.stringify(host)}, port: ${port}, agent }, (answer) => answer.resume().on("end", () => ask(left - 1)));
    ask(${times}); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore", ...(user !== undefined && { uid: user, gid: user }) });
  ended.push(async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  });
  return child;
}

test("a caller is who holds the other end of the connection: a service by its processes, and who is none is outside", async () => {
  const pids: number[] = [];
  const { port, counted } = await anAddress([{ key: "shop/production", user: null, pids: () => pids }]);
  pids.push((await aCaller(port, "127.0.0.1", 5)).pid ?? 0);
  // By way of an IPv6 socket, as some languages open all theirs.
  pids.push((await aCaller(port, "::ffff:127.0.0.1", 3)).pid ?? 0);
  await aCaller(port, "127.0.0.1", 4);
  await expect.poll(counted, { timeout: 20_000 }).toEqual({ "shop/production": 8, [OUTSIDE]: 4 });
});

test.skipIf(process.getuid?.() !== 0)("where each service has a user of its own, the socket's user tells (needs root)", async () => {
  const { port, counted } = await anAddress([{ key: "shop/production", user: 79_998, pids: () => [] }]);
  await aCaller(port, "127.0.0.1", 3, 79_998);
  await aCaller(port, "127.0.0.1", 2, 79_999);
  await expect.poll(counted, { timeout: 20_000 }).toEqual({ "shop/production": 3, [OUTSIDE]: 2 });
});

test("a connection that is gone before anybody looked is unknown, whatever its request claims to be; none is lost", async () => {
  const { port, counted } = await anAddress([{ key: "shop/production", user: null, pids: () => [] }]);
  for (let n = 0; n < 20; n++) {
    const socket = connect(port, "127.0.0.1", () =>
      socket.write("GET / HTTP/1.1\r\nhost: a\r\nx-caller: shop\r\nconnection: close\r\n\r\n"),
    );
    socket.resume();
    await once(socket, "close");
  }
  await expect.poll(() => Object.values(counted()).reduce((sum, requests) => sum + requests, 0), { timeout: 20_000 }).toBe(20);
  expect(Object.keys(counted())).not.toContain("shop/production");
});

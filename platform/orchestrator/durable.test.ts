import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Client } from "pg";
import { expect, test } from "vitest";
import { isConnectionLoss } from "./durable.ts";

test("isConnectionLoss() counts a PostgreSQL that takes a connection and says nothing, and one that is not there", async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const tried = async () => new Client({ host: "127.0.0.1", port, connectionTimeoutMillis: 50 }).connect().catch((error: unknown) => error);
  const said = await tried();
  for (const socket of sockets) socket.destroy();
  await new Promise((closed) => silent.close(closed));
  expect(said).toBeInstanceOf(Error);
  expect(isConnectionLoss(said)).toBe(true);
  expect(isConnectionLoss(await tried())).toBe(true);
  expect(isConnectionLoss(new Error("column x does not exist"))).toBe(false);
});

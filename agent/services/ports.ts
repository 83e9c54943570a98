import { createServer } from "node:net";
import { createHash } from "node:crypto";
import { noPortFree } from "../faults.ts";

/** Below the range from which Linux takes ports for outgoing connections, so that none of those can be in the way. */
const FIRST = 20_000;
const COUNT = 10_000;

/** A free port: one that `seed` leads to, or the next. The same seed gives the same port as long as it is free. */
export async function freePort(seed: string, taken: ReadonlySet<number>): Promise<number> {
  const start = createHash("sha256").update(seed).digest().readUInt32BE(0) % COUNT;
  for (let n = 0; n < COUNT; n++) {
    const port = FIRST + ((start + n) % COUNT);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw noPortFree();
}

/** Whether nobody listens on a port, on any address: a service may listen on all. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && (await canListen(port, "0.0.0.0"));
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

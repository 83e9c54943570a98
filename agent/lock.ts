import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { lockName } from "./places.ts";

/**
 * Takes the lock of a home, so that one agent runs for it; the keeper holds it with its agent, so that nobody gets in between. Gives undefined where another keeps it for longer than
 * `patienceSeconds`. `inherited` is the file descriptor of the lock that a keeper handed over.
 */
export async function takeLock(home: string, patienceSeconds: number, inherited?: number): Promise<Server | undefined> {
  const deadline = performance.now() + patienceSeconds * 1000;
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen(inherited === undefined ? lockName(home) : { fd: inherited });
      await once(server, "listening");
      server.unref();
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (performance.now() > deadline) return undefined;
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }
}

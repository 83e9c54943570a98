import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { lockName } from "./places.ts";

/**
 * Takes the lock of a home, so that one agent runs for it. Waits a little for one that is just ending. Gives undefined where another agent keeps it.
 */
export async function takeLock(home: string, patienceSeconds = 1): Promise<Server | undefined> {
  const deadline = performance.now() + patienceSeconds * 1000;
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen(lockName(home));
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

import { messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";

/** What is found in a running revision is shown within a minute: the runtime looks twice in that time, and we ask it this often. */
const EVERY_MS = 10_000;

/** Looks at what runs as long as the server runs. A look that fails is said, and the next one comes all the same. */
export function startLooking(look: () => Promise<void>, log: Log, everyMs = EVERY_MS): { close(): Promise<void> } {
  let closed = false;
  let wake: () => void = () => {};
  const loop = (async () => {
    while (!closed) {
      await look().catch((error: unknown) => log.warn({ because: messageOf(error) }, "what runs could not be looked at"));
      if (closed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        wake = () => (clearTimeout(timer), resolve());
      });
    }
  })();
  return {
    async close() {
      closed = true;
      wake();
      await loop;
    },
  };
}

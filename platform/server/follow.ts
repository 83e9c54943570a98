import type { Log } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { consume } from "../ledger/store.ts";
import { STARTING_EVENTS } from "../workflows/start.ts";
import type { Live } from "./live.ts";

/** How long at most an event waits where the database's notification was lost. */
const AT_LEAST_EVERY_MS = 2000;

/** Begins what follows from events, as they are recorded; what came while nobody listened too, since the ledger is the outbox. */
export function startFollowing(parts: { db: Db; log: Log; live: Live; follow: (event: RecordedEvent) => Promise<void> }): {
  close(): Promise<void>;
} {
  const { db, log, live, follow } = parts;
  let wake: () => void = () => {};
  let closed = false;
  const stopListening = live.onChange(({ channel }) => {
    if (channel === "ledger") wake();
  });
  const loop = (async () => {
    while (!closed) {
      const due = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, AT_LEAST_EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      try {
        while (!closed && (await consume(db, "workflows", STARTING_EVENTS, follow)) > 0);
      } catch (error) {
        log.error({ err: error }, "an event could not be followed; it is tried again");
      }
      await due;
    }
  })();
  return {
    async close() {
      closed = true;
      stopListening();
      wake();
      await loop;
    },
  };
}

import type { Clock } from "../kernel/clock.ts";
import { isFault, messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db } from "../kernel/sql.ts";
import type { RecordedEvent } from "../ledger/model.ts";
import { consume, record } from "../ledger/store.ts";
import { isConnectionLoss } from "../orchestrator/durable.ts";
import { STARTING_EVENTS } from "../workflows/start.ts";
import type { Live } from "./live.ts";

/** How long at most an event waits where the database's notification was lost. */
const AT_LEAST_EVERY_MS = 2000;
/** How often one event is tried, so far apart, before those after it go on without it. */
const MAX_TRIES = 10;

/**
 * Begins what follows from events, as they are recorded; what came while nobody listened too, since the ledger is the outbox. An event that nothing can follow is recorded as
 * `workflows.event_failed` and left: it must not stop those after it.
 */
export function startFollowing(parts: {
  db: Db;
  clock: Clock;
  log: Log;
  live: Pick<Live, "onChange">;
  /** Who follows, each from where it came to, and which events. */
  consumer?: { name: string; types: readonly string[] };
  follow: (event: RecordedEvent) => Promise<void>;
  everyMs?: number;
}): { close(): Promise<void> } {
  const { db, clock, log, live, consumer = { name: "workflows", types: STARTING_EVENTS }, everyMs = AT_LEAST_EVERY_MS } = parts;
  let tries = 0;
  let wake: () => void = () => {};
  let closed = false;
  const stopListening = live.onChange(({ channel }) => {
    if (channel === "ledger" && tries === 0) wake();
  });
  const follow = async (event: RecordedEvent): Promise<void> => {
    try {
      await parts.follow(event);
    } catch (error) {
      // What is out of reach says nothing about the event: it waits, with those after it.
      if (isConnectionLoss(error) || (isFault(error) && error.kind === "unavailable")) throw error;
      tries += 1;
      if (tries < MAX_TRIES) throw error;
      const { seq, type, about } = event;
      log.error({ err: error, seq, type, about }, "an event could not be followed, and is given up");
      const data = { seq, type, code: isFault(error) ? error.code : null, because: messageOf(error) };
      await transact(db, (tx) => record(tx, clock, { type: "workflows.event_failed", about, actor: "system:workflows", data }));
    }
    tries = 0;
  };
  const loop = (async () => {
    while (!closed) {
      const due = new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      try {
        while (!closed && (await consume(db, consumer.name, consumer.types, follow)) > 0);
      } catch (error) {
        log.error({ err: error, tries }, "an event could not be followed; it is tried again");
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

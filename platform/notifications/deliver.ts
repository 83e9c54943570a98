import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/faults.ts";
import type { Log } from "../kernel/log.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { post, type Resolve, type Sent } from "./send.ts";
import { signedHeaders } from "./signature.ts";
import { nextDue, noteAttempt, takeDue, type Due, type SigningSecrets } from "./webhooks.ts";

/** So many messages at once: one slow receiver holds up none of the others. */
const AT_ONCE = 8;
/** How long at most a message waits where nobody woke the sender. */
const AT_LEAST_EVERY_MS = 2000;

export interface DeliverParts {
  db: Db;
  clock: Clock;
  log: Log;
  secrets: SigningSecrets;
  /** Calls back when something may be due. */
  onChange?: (listener: () => void) => () => void;
  resolve?: Resolve;
  everyMs?: number;
}

/** Sends what lies in the outbox of the webhooks, each message until it is taken or given up. Several processes may do so at once. */
export function startDelivering(parts: DeliverParts): { close(): Promise<void> } {
  const { db, clock, log, everyMs = AT_LEAST_EVERY_MS } = parts;
  const stop = new AbortController();
  const underWay = new Set<Promise<void>>();
  let wake: () => void = () => {};
  const stopListening = parts.onChange?.(() => wake());

  const loop = (async () => {
    while (!stop.signal.aborted) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      let waitMs = everyMs;
      try {
        while (!stop.signal.aborted && underWay.size < AT_ONCE) {
          const due = await takeDue(db, clock);
          if (!due) break;
          const sending = deliver(parts, due, stop.signal)
            .catch((error: unknown) =>
              log.error({ err: error, delivery: due.id }, "a webhook's attempt could not be noted; it is made again"),
            )
            .finally(() => {
              underWay.delete(sending);
              wake();
            });
          underWay.add(sending);
        }
        const next = await nextDue(db);
        if (next) waitMs = Math.min(waitMs, Math.max(20, next.getTime() - clock.now().getTime()));
      } catch (error) {
        log.warn({ err: messageOf(error) }, "webhooks can't be sent now; trying again");
      }
      const timer = setTimeout(() => wake(), waitMs);
      await woken;
      clearTimeout(timer);
    }
    await Promise.all(underWay);
  })();

  return {
    async close() {
      stop.abort();
      stopListening?.();
      wake();
      await loop;
    },
  };
}

/** Makes one attempt and notes what became of it. One that is cut off by the end of the process is not noted: it is made again. */
async function deliver({ db, clock, secrets, resolve }: DeliverParts, due: Due, signal: AbortSignal): Promise<void> {
  const startedAt = clock.now();
  const sent: Sent = await secrets.reveal(due.webhook.id).then(
    (secret) =>
      post(due.webhook, { headers: signedHeaders(secret, due, startedAt), body: due.body }, { signal, ...(resolve && { resolve }) }),
    (error: unknown): Sent => ({ status: null, detail: messageOf(error), outcome: "failed" }),
  );
  if (signal.aborted && sent.outcome !== "delivered") return;
  await transact(db, (tx) => noteAttempt(tx, clock, due, sent, startedAt));
}

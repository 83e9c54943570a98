import type { FastifyPluginAsync, FastifyReply } from "fastify";
import { Client } from "pg";
import type { Log } from "../kernel/log.ts";

const CHANNELS = { cairn_ledger: "ledger", cairn_runs: "runs", cairn_scores: "scores" } as const;
interface Change {
  channel: (typeof CHANNELS)[keyof typeof CHANNELS];
  id: string;
}

/** What the database tells when something changed. Only that it did, and what: whoever cares asks the API. */
export interface Live {
  onChange(listener: (change: Change) => void): () => void;
  close(): Promise<void>;
}

/** Listens to the database on a connection of its own, and opens another when that one is lost. */
export function listenLive(databaseUrl: string, log: Log): Live {
  const listeners = new Set<(change: Change) => void>();
  let client: Client | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const connect = async () => {
    const next = new Client({ connectionString: databaseUrl });
    client = next;
    next.on("error", (error) => log.warn({ err: error.message }, "live connection lost"));
    next.once("end", () => {
      if (!closed) retry = setTimeout(() => void connect(), 500);
    });
    next.on("notification", ({ channel, payload }) => {
      const known = CHANNELS[channel as keyof typeof CHANNELS];
      if (known) for (const listener of listeners) listener({ channel: known, id: payload ?? "" });
    });
    try {
      await next.connect();
      for (const channel of Object.keys(CHANNELS)) await next.query(`listen ${channel}`);
    } catch (error) {
      log.warn({ err: String(error) }, "can't listen for changes yet");
      await next.end().catch(() => {});
      if (!closed && !retry) retry = setTimeout(() => void connect(), 500);
    }
  };
  void connect();

  return {
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => {});
    },
  };
}

/** GET /live: server-sent events `ledger` (id is the sequence number), `runs` (id of the run) and `scores` (name of the service). */
export const liveRoutes =
  ({ live }: { live: Live }): FastifyPluginAsync =>
  async (app) => {
    const open = new Set<FastifyReply>();
    app.addHook("preClose", async () => {
      for (const reply of open) reply.raw.end();
    });
    app.get(
      "/live",
      { schema: { operationId: "live", tags: ["live"], summary: "Server-sent events: what changed" } },
      async (request, reply) => {
        await request.can("read");
        reply.hijack();
        reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
        reply.raw.write("retry: 1000\n\n");
        open.add(reply);
        const stop = live.onChange(({ channel, id }) => reply.raw.write(`event: ${channel}\ndata: ${JSON.stringify({ id })}\n\n`));
        const beat = setInterval(() => reply.raw.write(": still here\n\n"), 20_000);
        request.raw.once("close", () => {
          clearInterval(beat);
          stop();
          open.delete(reply);
        });
      },
    );
  };

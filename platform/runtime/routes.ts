import type { FastifyReply } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { isFault, messageOf } from "../kernel/faults.ts";
import type { Observation, Runtime } from "./contract.ts";
import { ServiceEnvironment, ServiceLogs } from "./model.ts";

const params = z.object({ name: z.string() });
const logFilter = {
  environment: z.string(),
  revision: z.string().optional(),
  /** Lines that hold this text, letter by letter. */
  text: z.string().max(1000).optional(),
};

/** How often whoever follows a log is told what is new. */
const TELL_EVERY_MS = 500;
const BEAT_EVERY_MS = 20_000;

export const runtimeRoutes =
  ({ runtime }: { runtime: Runtime }): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      "/services/:name/environments",
      {
        schema: {
          operationId: "listServiceEnvironments",
          tags: ["runtime"],
          summary: "Where a service runs, and which revisions",
          params,
          response: { 200: z.array(ServiceEnvironment) },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        const targets = (await runtime.targets()).filter(({ service }) => service === name);
        const observed = await Promise.all(targets.map((target) => runtime.observe(target).catch(removedMeanwhile)));
        return observed.flatMap((observation) => (observation ? [environmentOf(observation)] : []));
      },
    );
    app.get(
      "/services/:name/logs",
      {
        schema: {
          operationId: "listServiceLogs",
          tags: ["runtime"],
          summary: "The last lines of a service in an environment that a filter lets through, oldest first",
          params,
          querystring: z.object({
            ...logFilter,
            limit: z.coerce.number().int().min(1).max(2000).default(200),
            after: z.coerce.date().optional(),
            until: z.coerce.date().optional(),
          }),
          response: { 200: ServiceLogs },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("read", { name });
        const { environment, ...options } = request.query;
        return runtime.logs({ service: name, environment }, options);
      },
    );

    const following = new Set<FastifyReply>();
    app.addHook("preClose", async () => {
      for (const reply of following) reply.raw.end();
    });
    app.get(
      "/services/:name/logs/stream",
      {
        schema: {
          operationId: "followServiceLogs",
          tags: ["runtime"],
          summary:
            "Server-sent events: `lines` (a list of lines, each once; the event's id is the place after them), `trouble` while the runtime can't be read",
          params,
          querystring: z.object({
            ...logFilter,
            /** So many of the last lines first, those later than `after`. */
            tail: z.coerce.number().int().min(0).max(2000).default(0),
            after: z.coerce.date().optional(),
            /** Go on after this place instead: the id of the last event seen. The header Last-Event-ID does the same. */
            cursor: z.string().max(20_000).optional(),
          }),
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        await request.can("read", { name });
        const { environment, tail, cursor: given, ...filter } = request.query;
        const target = { service: name, environment };
        const lastSeen = request.headers["last-event-id"];
        let cursor = (typeof lastSeen === "string" && lastSeen !== "" ? lastSeen : undefined) ?? given;
        // What is wrong with the question is answered as such; from then on trouble is told, and passes.
        const first = await runtime.tail(target, { ...filter, limit: Math.max(1, tail), ...(cursor !== undefined && { cursor }) });
        const begun = cursor === undefined && tail === 0 ? [] : first.lines;
        cursor = first.cursor;

        reply.hijack();
        reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
        reply.raw.write("retry: 1000\n\n");
        following.add(reply);
        let beatAt = Date.now() + BEAT_EVERY_MS;
        let troubled = false;
        const tell = (event: string, data: unknown) => reply.raw.write(`event: ${event}\nid: ${cursor}\ndata: ${JSON.stringify(data)}\n\n`);
        tell("lines", begun);
        let timer: NodeJS.Timeout;
        const look = async () => {
          try {
            const next = await runtime.tail(target, { ...filter, ...(cursor !== undefined && { cursor }) });
            const moved = next.cursor !== cursor;
            cursor = next.cursor;
            if (next.lines.length > 0 || troubled) tell("lines", next.lines);
            if (next.lostBytes > 0) tell("trouble", { detail: `${next.lostBytes} bytes were rotated away before they could be shown` });
            troubled = false;
            if (Date.now() > beatAt) reply.raw.write(": still here\n\n");
            if (Date.now() > beatAt) beatAt = Date.now() + BEAT_EVERY_MS;
            again(moved && next.lines.length > 0 ? 0 : TELL_EVERY_MS);
          } catch (error) {
            if (!troubled) tell("trouble", { detail: messageOf(error) });
            troubled = true;
            again(TELL_EVERY_MS);
          }
        };
        const again = (milliseconds: number) => {
          if (following.has(reply)) timer = setTimeout(() => void look(), milliseconds);
        };
        again(TELL_EVERY_MS);
        request.raw.once("close", () => {
          following.delete(reply);
          clearTimeout(timer);
        });
      },
    );
  };

const environmentOf = ({ target, url, readings, findings }: Observation): ServiceEnvironment => ({
  findings,
  environment: target.environment,
  url,
  revisions: readings.map(({ revision, epoch: _epoch, latency: _latency, ...reading }) => ({ id: revision, ...reading })),
});

function removedMeanwhile(error: unknown): undefined {
  if (isFault(error) && error.code === "runtime.target_unknown") return undefined;
  throw error;
}

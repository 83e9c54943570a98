import { PassThrough } from "node:stream";
import { finished } from "node:stream/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";

/** Most that is read of a body that is refused already. */
const MOST_DROPPED_BYTES = 64 * 1024 * 1024;

/** Refuses a body that does not arrive in time, so that nobody keeps a connection by saying a byte now and then. git's own requests may be long: they have their own limit. */
export function refuseSlowBodies(app: FastifyInstance, seconds: number): void {
  app.addHook("preParsing", async (request, reply, payload) => {
    const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
    const hasBody = coding !== undefined || length !== "0";
    if (!hasBody || request.url.startsWith("/git/")) return payload;
    const inTime = new PassThrough();
    const timer = setTimeout(() => {
      reply.header("connection", "close");
      inTime.destroy(
        Object.assign(new Error(`The body did not arrive within ${seconds} s`), { statusCode: 408, code: "body_too_slow" as const }),
      );
    }, seconds * 1000);
    payload.once("end", () => clearTimeout(timer));
    inTime.once("close", () => clearTimeout(timer));
    // Whoever reads it hears of it; where nobody reads, as a route without a body, it must not end the process.
    inTime.on("error", () => {});
    payload.once("error", (error) => inTime.destroy(error));
    payload.once("close", () => {
      if (!request.raw.complete) inTime.destroy(new Error("the client went away"));
    });
    return payload.pipe(inTime);
  });
}

/** Reads what is left of a body that was refused before its end, as for its size or its sender: most clients would lose the answer, since the connection breaks under them. */
export async function drain({ raw }: FastifyRequest): Promise<void> {
  if (raw.complete || raw.destroyed) return;
  let bytes = 0;
  raw.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_DROPPED_BYTES) raw.pause();
  });
  raw.unpipe();
  raw.resume();
  const late = AbortSignal.timeout(10_000);
  const enough = new Promise<void>((resolve) => raw.once("pause", resolve));
  await Promise.race([finished(raw, { signal: late, cleanup: true }).catch(() => {}), enough]);
}

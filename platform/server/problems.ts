import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply } from "fastify";
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from "fastify-type-provider-zod";
import { z } from "zod";
import { drain } from "./bodies.ts";
import { httpStatus, isFault, messageOf } from "../kernel/faults.ts";

/** Problem details (RFC 9457) with a stable code and what to do next. `detail` says what happened. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
  next: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** The one place that turns faults into responses. `missingPage` answers browsers at an address that leads nowhere. */
export function answerFaults(app: FastifyInstance, missingPage?: (reply: FastifyReply) => Promise<FastifyReply>): void {
  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemOf(error);
    if (problem.status !== 408) await drain(request);
    const wait = problem.retryAfterSeconds;
    if (typeof wait === "number") reply.header("retry-after", Math.ceil(wait));
    if (problem.status >= 500) request.log.error({ err: error }, "request failed");
    return reply.code(problem.status).type("application/problem+json").send(problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const isForPeople =
      request.method === "GET" && /\btext\/html\b/.test(request.headers.accept ?? "") && !/^\/(api|git|assets)\//.test(request.url);
    if (missingPage && isForPeople) return missingPage(reply.code(404));
    return reply
      .code(404)
      .type("application/problem+json")
      .send(problem(404, "http.not_found", `Nothing is at ${request.method} ${request.url}`, "See /openapi.json for what there is."));
  });
}

export function problemOf(error: unknown): Problem & Record<string, unknown> {
  if (isFault(error)) return { ...error.facts, ...problem(httpStatus[error.kind], error.code, error.message, error.next) };
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map((issue) => ({ path: issue.instancePath, message: issue.message ?? "" }));
    const first = errors[0];
    return {
      ...problem(
        422,
        "http.invalid",
        `${first?.path || "the request"}: ${first?.message ?? "invalid"}`,
        "Correct it and send it again; /openapi.json has the shape.",
      ),
      errors,
    };
  }
  if (isResponseSerializationError(error))
    return problem(500, "http.response_shape", "The answer did not have its declared shape", "This is a defect: report it with the log.");
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  if (status < 500)
    return problem(
      status,
      `http.${(error as { code?: string }).code?.toLowerCase() ?? "bad_request"}`,
      messageOf(error),
      "Correct the request and send it again.",
    );
  if (isFull(error))
    return problem(
      503,
      "http.disk_full",
      "The platform's disk is full: what was asked for could not be kept",
      "Make room on the disk that holds CAIRN_HOME and the database, then try again. Nothing was half done.",
    );
  if (isAway(error))
    return problem(
      503,
      "http.database_away",
      "The platform's database does not answer at the moment",
      "Try again in a while: workflows go on by themselves when it is back, and services run on. cairn status tells how it is.",
    );
  if (holdsNul(error))
    return problem(422, "http.text_refused", "A text of the request holds a NUL, or half a character", "Take it out and send it again.");
  return problem(500, "http.failed", "Something went wrong inside", "Try again; if it stays, report it with the server's log.");
}

/** The file system, or PostgreSQL (53100: disk_full), has no room; a limit on the size of files counts too. */
function isFull(error: unknown): boolean {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return ["ENOSPC", "EDQUOT", "EFBIG", "53100"].includes(String(code)) || (cause !== undefined && isFull(cause));
}

/** PostgreSQL shuts down, starts, or has died (57P01 to 57P03, class 08); nobody listens; the pool waited in vain. */
function isAway(error: unknown): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (typeof code === "string" && (/^(57P0[123]|08...)$/.test(code) || code === "ECONNREFUSED")) return true;
  return (
    (code === "ENOENT" && syscall === "connect") ||
    /^(Connection terminated|timeout exceeded when trying to connect|timeout expired)/.test(messageOf(error))
  );
}

/** PostgreSQL keeps no NUL and no lone surrogate in a text (22021) or in JSON (22P05); programs and paths take no NUL either. */
function holdsNul(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "22021" || code === "22P05" || (code === "ERR_INVALID_ARG_VALUE" && messageOf(error).includes("null bytes"));
}

const problem = (status: number, code: string, detail: string, next: string): Problem => ({
  type: `https://cairn.dev/problems/${code}`,
  title: code,
  status,
  detail,
  code,
  next,
});

const MALFORMED: Record<string, [number, string, string, string]> = {
  HPE_HEADER_OVERFLOW: [
    431,
    "http.headers_too_large",
    "Address and headers are larger than 16 KiB",
    "Send less: what is long belongs into the body.",
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "http.too_slow", "The headers did not arrive in time", "Send the request at once."],
};

/** Answers what is no HTTP, and then ends the connection: what follows can't be told apart from what came before. */
export function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, code, detail, next] = MALFORMED[error.code ?? ""] ?? [
    400,
    "http.malformed",
    "This is no HTTP request",
    "Send one by RFC 9112.",
  ];
  const body = JSON.stringify(problem(status, code, detail, next));
  const head = [
    `HTTP/1.1 ${status} ${code}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

import type { FastifyInstance } from "fastify";
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from "fastify-type-provider-zod";
import { z } from "zod";
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

/** The one place that turns faults into responses. */
export function answerFaults(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    const wait = problem.retryAfterSeconds;
    if (typeof wait === "number") reply.header("retry-after", Math.ceil(wait));
    if (problem.status >= 500) request.log.error({ err: error }, "request failed");
    return reply.code(problem.status).type("application/problem+json").send(problem);
  });
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type("application/problem+json")
      .send(problem(404, "http.not_found", `Nothing is at ${request.method} ${request.url}`, "See /openapi.json for what there is.")),
  );
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
  if (holdsNul(error))
    return problem(422, "http.text_refused", "A text of the request holds a NUL, or half a character", "Take it out and send it again.");
  return problem(500, "http.failed", "Something went wrong inside", "Try again; if it stays, report it with the server's log.");
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

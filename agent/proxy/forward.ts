import { PassThrough } from "node:stream";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher, Pool } from "undici";
import type { CallerCounts } from "./callers.ts";
import type { Counters } from "./counters.ts";
import { pathOf, requestHeaders, responseHeaders } from "./headers.ts";
import type { Paced, SlowClients } from "./slow.ts";

/** One revision as the proxy sees it. */
export interface Arm {
  id: string;
  digest: string;
  port: number;
  pool: Pool;
  counters: Counters;
}

/** Where requests of one address go. */
export interface Route {
  /** The arm of the next request; undefined when nothing has weight. */
  next(): Arm | undefined;
  /** Another arm than one that failed, or the same where there is no other. */
  another(failed: Arm): Arm;
  /** Set when the agent is about to end: answers ask the client to connect anew. */
  closing: boolean;
  /** What the address belongs to, for messages. */
  name: string;
  /** Ends what clients hold up. */
  slow: SlowClients;
  /** Who calls it. */
  callers: CallerCounts;
}

const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);
/** How long a client may send next to nothing of a body that it began, and take nothing of an answer that waits for it. */
const BODY_SECONDS = 30;
const READ_SECONDS = 120;

/** One retry: a request that ends services must not get through them all. */
const MOST_ATTEMPTS = 2;

/** Passes one request on to an arm and its answer back. */
export function forward(route: Route, request: IncomingMessage, response: ServerResponse): void {
  const arm = route.next();
  if (arm) new Exchange(route, request, response).send(arm);
  else problem(response, 503, "proxy.no_revision", `Nothing of ${route.name} is deployed here`, "Deploy a revision and give it traffic.");
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #route: Route;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #body: boolean;
  #arm!: Arm;
  #controller: Dispatcher.DispatchController | undefined;
  #attempts = 0;
  #startedAt = 0;
  #answered = false;
  #isError = false;
  #over = false;
  /** Bytes of the body still to come; undefined when the answer does not say. */
  #left: number | undefined;
  #onDrain: (() => void) | undefined;
  #sending: Paced | undefined;
  #reading: Paced | undefined;

  constructor(route: Route, request: IncomingMessage, response: ServerResponse) {
    this.#route = route;
    this.#request = request;
    this.#response = response;
    this.#body = request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
    response.once("close", () => {
      this.#letGo();
      if (!this.#over) this.#controller?.abort(new ClientGone());
    });
  }

  send(arm: Arm): void {
    this.#arm = arm;
    this.#attempts += 1;
    this.#controller = undefined;
    arm.counters.inFlight += 1;
    this.#startedAt = performance.now();
    const method = (this.#request.method ?? "GET") as Dispatcher.HttpMethod;
    // Through a stream of its own: undici destroys the body of a request that fails, and that would take the client's connection with it.
    const body = this.#body ? this.#request.pipe(new PassThrough()) : null;
    if (body) this.#paceBody(body);
    arm.pool.dispatch({ method, path: pathOf(this.#request), headers: requestHeaders(this.#request), body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#response.destroyed) controller.abort(new ClientGone());
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200) return;
    this.#answered = true;
    this.#isError = status >= 500;
    this.#arm.counters.count(this.#seconds(), this.#isError);
    const kept = responseHeaders((controller.rawHeaders ?? []) as Buffer[], this.#arm);
    if (this.#route.closing) kept.push("connection", "close");
    const length = headers["content-length"];
    this.#left = typeof length === "string" && this.#request.method !== "HEAD" ? Number(length) : undefined;
    this.#response.writeHead(status, kept);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#left !== undefined) {
      this.#left -= chunk.length;
      if (this.#left === 0) return void this.#response.end(chunk); // head, last chunk and end in one write
    }
    if (this.#response.write(chunk)) return;
    controller.pause();
    if (this.#onDrain) return;
    this.#onDrain = () => controller.resume();
    this.#response.on("drain", this.#onDrain);
    this.#paceAnswer();
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: Record<string, string | string[] | undefined>): void {
    this.#finish();
    if (this.#response.writableEnded) return;
    if (trailers && Object.keys(trailers).length > 0) this.#response.addTrailers(trailers as Record<string, string>);
    this.#response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { counters } = this.#arm;
    const gone = error instanceof ClientGone || (this.#response.destroyed && !this.#answered);
    if (this.#answered) {
      if (!gone && !this.#isError) counters.errors += 1; // cut off in the middle is no answer
      this.#finish();
      this.#response.destroy();
      return;
    }
    counters.inFlight -= 1;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "UND_ERR_INVALID_ARG") {
      this.#over = true;
      return problem(
        this.#response,
        400,
        "proxy.request_refused",
        `The request can't be passed on: ${error.message}`,
        "Correct it and send it again.",
      );
    }
    counters.count(this.#seconds(), !gone); // a client that gave up still tells how long it waited
    if (gone) {
      this.#over = true;
      return;
    }
    if (this.#mayRetry(code)) return this.send(this.#route.another(this.#arm));
    this.#over = true;
    this.#fail(code, error);
  }

  /** Only what can be repeated, and only when the connection broke before a byte of the answer came. */
  #mayRetry(code: string): boolean {
    if (this.#body || this.#attempts >= MOST_ATTEMPTS || this.#response.destroyed) return false;
    if (code === "ECONNREFUSED") return true; // nothing was sent
    return IDEMPOTENT.has(this.#request.method ?? "") && (code === "ECONNRESET" || code === "UND_ERR_SOCKET" || code === "EPIPE");
  }

  #fail(code: string, error: Error): void {
    const { id, digest } = this.#arm;
    const late = code === "UND_ERR_HEADERS_TIMEOUT";
    const what = late ? "did not answer in time" : `gave no answer (${code || error.message})`;
    const next = "Try again; the service's logs may say why.";
    problem(
      this.#response,
      late ? 504 : 502,
      late ? "proxy.timeout" : "proxy.no_answer",
      `Revision ${id} of ${this.#route.name} ${what}`,
      next,
      {
        "x-cairn-revision": id,
        "x-cairn-digest": digest,
      },
    );
  }

  #paceBody(body: PassThrough): void {
    const request = this.#request;
    this.#sending = {
      waits: () => !request.complete && !this.#answered && !body.writableNeedDrain,
      moved: () => request.socket.bytesRead,
      giveUp: () => {
        const next = "Send it again, without pauses; large files in pieces.";
        problem(this.#response, 408, "proxy.body_too_slow", `The request's body did not come within ${BODY_SECONDS} s`, next, {
          connection: "close",
        });
        this.#controller?.abort(new ClientGone());
      },
    };
    this.#route.slow.add(this.#sending, BODY_SECONDS);
    request.once("end", () => this.#sending && this.#route.slow.delete(this.#sending));
  }

  #paceAnswer(): void {
    const response = this.#response;
    const { socket } = response;
    if (!socket) return;
    this.#reading = {
      waits: () => response.writableNeedDrain,
      moved: () => socket.bytesWritten - socket.writableLength,
      giveUp: () => response.destroy(),
    };
    this.#route.slow.add(this.#reading, READ_SECONDS);
  }

  #letGo(): void {
    for (const paced of [this.#sending, this.#reading]) if (paced) this.#route.slow.delete(paced);
  }

  #finish(): void {
    this.#over = true;
    this.#arm.counters.inFlight -= 1;
    if (this.#onDrain) this.#response.off("drain", this.#onDrain);
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }
}

class ClientGone extends Error {}

/** Problem details (RFC 9457) from the proxy itself. */
export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  next: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = JSON.stringify({ type: `https://cairn.dev/problems/${code}`, title: code, status, detail, code, next });
  response.writeHead(status, {
    "content-type": "application/problem+json",
    "content-length": String(Buffer.byteLength(body)),
    ...(status === 503 && { "retry-after": "1" }),
    ...headers,
  });
  response.end(body);
}

import { timingSafeEqual } from "node:crypto";
import { rm } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { dirname } from "node:path";
import { httpStatus, isFault, messageOf, type Fault } from "@cairn/platform/kernel/faults.ts";
import type { Log } from "@cairn/platform/kernel/log.ts";
import { nothingThere, requestInvalid, requestTooLarge, tokenRefused } from "./faults.ts";
import { http } from "./light.ts";
import { privateFolder } from "./places.ts";

export interface Call {
  /** What stood in the places of `:name` in the path. */
  path: Record<string, string>;
  query: URLSearchParams;
  body: unknown;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
}

/** Operations by `METHOD /path/:with/:names`. What one gives is answered as JSON. */
export type Operations = Record<string, (call: Call) => Promise<unknown>>;

/** Serves operations on a Unix socket in a private folder, to whoever has the token. Every refusal is problem details with a code and what to do next. */
export async function serveControl(options: { socket: string; token: string; operations: Operations; log: Log }): Promise<Server> {
  await privateFolder(dirname(options.socket));
  await rm(options.socket, { force: true }); // we hold the lock, so whoever left it is dead
  const routes = Object.entries(options.operations).map(([route, operation]) => ({ ...patternOf(route), operation }));
  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!isFault(error)) options.log.error({ err: error, url: request.url }, "a control operation failed");
      sendProblem(response, error);
    });
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (!sameToken(request.headers.authorization, options.token)) throw tokenRefused();
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://agent");
    const method = request.method ?? "GET";
    for (const { verb, pattern, operation } of routes) {
      const match = verb === method ? pattern.exec(pathname) : null;
      if (!match) continue;
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const path = Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decode(value)]));
      const given = await operation({ path, query: searchParams, body: await bodyOf(request), signal: gone.signal });
      send(response, 200, "application/json", given ?? {});
      return;
    }
    throw nothingThere(method, pathname);
  };
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.socket, resolve);
  });
  return server;
}

function patternOf(route: string): { verb: string; pattern: RegExp } {
  const [verb = "", path = ""] = route.split(" ");
  return { verb, pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, "(?<$1>[^/]+)")}$`) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw requestInvalid(`${text} is not percent-encoded text`);
  }
}

function sameToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 8 * 1024 * 1024) throw requestTooLarge();
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw requestInvalid(`The body is not JSON: ${messageOf(error)}`);
  }
}

function send(response: ServerResponse, status: number, type: string, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { "content-type": type });
  response.end(JSON.stringify(body));
}

function sendProblem(response: ServerResponse, error: unknown): void {
  const { kind, code, next, facts } = isFault(error)
    ? error
    : ({ kind: "failed", code: "agent.failed", next: "Try again; look at logs/agent.log in CAIRN_HOME.", facts: {} } as Pick<
        Fault,
        "kind" | "code" | "next" | "facts"
      >);
  const status = httpStatus[kind];
  const problem = { ...facts, type: `https://cairn.dev/problems/${code}`, title: code, status, detail: messageOf(error), code, next, kind };
  send(response, status, "application/problem+json", problem);
}

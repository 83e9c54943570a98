import { randomFillSync } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Headers of one hop (RFC 9110 section 7.6.1), and those that only we may set. */
const NOT_FORWARDED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-cairn-revision",
  "x-cairn-digest",
]);
/** A sender can't have these taken out by naming them in Connection: that would change what the message is. */
const PROTECTED = new Set(["host", "content-length"]);

/** Why a request can't be passed on; undefined when it can. */
export function refusalOf(request: IncomingMessage): string | undefined {
  const { rawHeaders, headers } = request;
  let hosts = 0;
  for (let n = 0; n < rawHeaders.length; n += 2) if (rawHeaders[n]?.length === 4 && rawHeaders[n]?.toLowerCase() === "host") hosts += 1;
  if (hosts > 1) return "It has more than one Host header";
  const encoding = headers["transfer-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "chunked") return "Its Transfer-Encoding is not chunked alone";
  const url = request.url ?? "/";
  if (url.startsWith("/")) return undefined;
  const absolute = URL.canParse(url) ? new URL(url) : undefined;
  if (absolute?.protocol !== "http:") return "Its target is neither a path nor an http URL";
  return absolute.host === headers.host?.toLowerCase() ? undefined : "The host of its target is not the one of its Host header";
}

/** The path of a request that was not refused. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? "/";
  if (url.startsWith("/")) return url;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** The headers to pass on, as a flat list of names and values. */
export function requestHeaders(request: IncomingMessage): string[] {
  const { rawHeaders, headers } = request;
  const named = namedIn(headers.connection);
  const kept: string[] = [];
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = (rawHeaders[n] as string).toLowerCase();
    if (NOT_FORWARDED.has(name) || named?.has(name)) continue;
    kept.push(rawHeaders[n] as string, rawHeaders[n + 1] as string);
  }
  kept.push("x-forwarded-for", request.socket.remoteAddress ?? "unknown", "x-forwarded-proto", "http");
  if (headers.host !== undefined) kept.push("x-forwarded-host", headers.host);
  if (!isTraceparent(headers.traceparent)) kept.push("traceparent", newTraceparent());
  return kept;
}

/** The headers of an answer to pass back, with the revision that gave it. */
export function responseHeaders(raw: readonly (Buffer | string)[], revision: { id: string; digest: string }): string[] {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let n = 0; n < raw.length; n += 2) {
    const name = text(raw[n]);
    const lower = name.toLowerCase();
    if (lower === "connection") named = namedIn(text(raw[n + 1]));
    if (!NOT_FORWARDED.has(lower)) kept.push(name, text(raw[n + 1]));
  }
  if (named) dropNamed(kept, named);
  kept.push("x-cairn-revision", revision.id, "x-cairn-digest", revision.digest);
  return kept;
}

function dropNamed(headers: string[], named: Set<string>): void {
  for (let n = headers.length - 2; n >= 0; n -= 2) if (named.has((headers[n] as string).toLowerCase())) headers.splice(n, 2);
}

const text = (value: Buffer | string | undefined): string => (typeof value === "string" ? value : (value?.toString("latin1") ?? ""));

function namedIn(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return undefined;
  return new Set(
    connection
      .toLowerCase()
      .split(",")
      .map((name) => name.trim())
      .filter((name) => !PROTECTED.has(name)),
  );
}

const isTraceparent = (value: string | string[] | undefined): boolean =>
  typeof value === "string" &&
  /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/.test(value) &&
  !value.startsWith("ff");

const pool = Buffer.alloc(24 * 256);
let used = pool.length;

/** A new trace, sampled (W3C Trace Context). Random bytes are drawn many at a time. */
function newTraceparent(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString("hex", used, (used += 24));
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-01`;
}

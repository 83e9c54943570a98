const MAX_BODY_BYTES = 64 * 1024;

/** A refusal. It is answered as problem details (RFC 9457). */
export class Problem extends Error {
  constructor(status, detail, headers = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** The request's JSON. Refuses another content type, a body over 64 KiB, and what is not JSON. */
export async function readJson(request) {
  const type = (request.headers["content-type"] ?? "").split(";")[0].trim().toLowerCase();
  if (type !== "application/json") throw new Problem(415, "Send application/json");
  if (Number(request.headers["content-length"]) > MAX_BODY_BYTES) throw tooLarge();
  const chunks = [];
  let bytes = 0;
  await new Promise((resolve, reject) => {
    request.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) reject(tooLarge());
      else chunks.push(chunk);
    });
    request.once("end", resolve);
    request.once("error", reject);
    request.once("close", () => reject(new Problem(400, "The request broke off")));
  });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new Problem(400, "The body is not JSON");
  }
}

/** Answers with JSON. What is left of the request's body is read and thrown away, so that the connection stays in use. */
export function sendJson(request, response, status, value, headers = {}, type = "application/json") {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { "content-type": type, "content-length": body.length, ...headers });
  response.end(request.method === "HEAD" ? undefined : body);
  if (!request.complete) request.resume();
}

export const sendProblem = (request, response, { status, message, headers }) =>
  sendJson(request, response, status, { type: "about:blank", title: TITLES[status] ?? "Error", status, detail: message }, headers, "application/problem+json");

const tooLarge = () => new Problem(413, `At most ${MAX_BODY_BYTES} bytes`);

const TITLES = {
  400: "Bad request",
  404: "Not found",
  405: "Method not allowed",
  413: "Content too large",
  415: "Unsupported media type",
  500: "Internal error",
  503: "Not available",
};

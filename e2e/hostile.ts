import { request } from "node:http";
import * as fc from "fast-check";

// Requests that no client of ours would send, made from the OpenAPI document: for every operation, with and without a token.

type Schema = Record<string, unknown>;
interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}
interface Answer {
  what: string;
  status: number;
  type: string;
  text: string;
}

/** What stands in an address, percent signs and all. */
const inAddress = fc.constantFrom(
  "..",
  ".",
  "%2e%2e",
  "..%2f..%2f..%2fetc%2fpasswd",
  "%2e%2e%5c%2e%2e",
  "%00",
  "a%00b",
  "%ff%fe",
  "%c0%ae%c0%ae",
  "%zz",
  "%",
  "%0d%0aset-cookie:a=b",
  "__proto__",
  "constructor",
  "-1",
  "0",
  "1e309",
  "NaN",
  "null",
  "'%20or%201=1--",
  "%F0%9F%92%A9",
  "%ed%a0%80",
  "a".repeat(300),
  "x".repeat(9000),
  "sha256:" + "0".repeat(64),
  "sha256:" + "g".repeat(64),
  "main",
  "2",
  "component:default%2forders",
  "*",
  "~",
  ";rm",
  "%7B%7B7*7%7D%7D",
);

const hostileText = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\u202e",
    "\r\n\r\n",
    "../../etc/passwd",
    "/etc/passwd",
    "{{ 7*7 }}",
    "${7*7}",
    "%s%n",
    "<script>alert(1)</script>",
    "!!js/function 'x'",
    "&a [*a]",
    "a: b: c",
    "--upload-pack=x",
    "' or 1=1 --",
    "x".repeat(100_000),
    "💩",
    "9".repeat(400),
    "2026-13-45",
    "__proto__",
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
);

/** A value that a schema may or may not allow: of the right shape with hostile leaves, or of another shape altogether. */
function valueFor(schema: Schema | undefined, document: OpenApi, depth = 0): fc.Arbitrary<unknown> {
  const anything = fc.oneof(fc.jsonValue({ maxDepth: 3 }), hostileText, fc.constantFrom(null, true, -1, 1e308, 2 ** 53, [], {}));
  if (!schema || depth > 6) return anything;
  if (typeof schema.$ref === "string")
    return valueFor(document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""], document, depth + 1);
  const shapes = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined;
  if (shapes?.length) return fc.oneof(...shapes.map((shape) => valueFor(shape, document, depth + 1)));
  if (Array.isArray(schema.enum)) return fc.oneof(fc.constantFrom(...(schema.enum as unknown[])), hostileText);
  if (schema.type === "array") {
    const item = valueFor(schema.items as Schema, document, depth + 1);
    return fc.oneof({ weight: 4, arbitrary: fc.array(item, { maxLength: 3 }) }, { weight: 1, arbitrary: anything });
  }
  if (schema.type === "object") {
    const known = Object.entries((schema.properties ?? {}) as Record<string, Schema>).map(
      ([name, of]) => [name, valueFor(of, document, depth + 1)] as const,
    );
    const whole = fc.record(Object.fromEntries(known), { requiredKeys: (schema.required ?? []) as never[] });
    const more = fc.dictionary(fc.constantFrom("extra", "__proto__", "constructor", "toString", ""), anything, { maxKeys: 2 });
    return fc.oneof(
      { weight: 5, arbitrary: whole },
      { weight: 2, arbitrary: fc.tuple(whole, more).map(([a, b]) => ({ ...(a as object), ...b })) },
      { weight: 1, arbitrary: anything },
    );
  }
  if (schema.type === "boolean") return fc.oneof(fc.boolean(), anything);
  if (schema.type === "integer" || schema.type === "number") return fc.oneof(fc.integer(), fc.double(), anything);
  return fc.oneof({ weight: 5, arbitrary: hostileText }, { weight: 1, arbitrary: anything });
}

const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const strangeBody = fc.constantFrom<[string, Buffer]>(
  ["application/json", Buffer.from("{")],
  ["application/json", Buffer.from(deep(50_000))],
  ["application/json", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ["application/json", Buffer.from('{"__proto__":{"administrator":true}}')],
  ["application/json", Buffer.alloc(6 * 1024 * 1024, 0x20)],
  ["application/json", Buffer.from("")],
  ["text/plain", Buffer.from("{}")],
  ["application/xml", Buffer.from("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>")],
  ["multipart/form-data; boundary=x", Buffer.from("--x\r\n\r\n--x--")],
  [
    "application/yaml",
    Buffer.from("a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: &d [*c, *c, *c, *c]\ne: [*d, *d, *d, *d]\n"),
  ],
  ["nonsense", Buffer.from("\0\0")],
);

/** The cases for one operation: the same for the same seed. */
export function casesFor(document: OpenApi, path: string, method: string, count: number, seed: number) {
  const { parameters = [], requestBody } = document.paths[path]![method]!;
  const body = requestBody?.content["application/json"];
  const arbitrary = fc.record({
    address: fc.tuple(...parameters.filter((one) => one.in === "path").map(() => inAddress)),
    query: fc.array(
      fc.tuple(fc.constantFrom(...parameters.filter((one) => one.in === "query").map(({ name }) => name), "unknown", "%00"), inAddress),
      {
        maxLength: 3,
      },
    ),
    body:
      method === "get"
        ? fc.constant(undefined)
        : fc.oneof(
            {
              weight: 4,
              arbitrary: valueFor(body?.schema, document).map((value): [string, Buffer] => [
                "application/json",
                Buffer.from(JSON.stringify(value) ?? ""),
              ]),
            },
            { weight: 1, arbitrary: strangeBody },
          ),
  });
  return fc.sample(arbitrary, { numRuns: count, seed }).map(({ address, query, body: sent }) => {
    const values = [...(address as string[])];
    const filled = path.replaceAll(/\{[^}]+\}/g, () => values.shift() ?? "");
    const asked = query.map(([name, value]) => `${name}=${value}`).join("&");
    return { url: asked === "" ? filled : `${filled}?${asked}`, body: sent };
  });
}

/** Sends a request as it stands: no client mends its address. */
export function send(
  platform: string,
  method: string,
  url: string,
  body: [string, Buffer] | undefined,
  token: string | undefined,
): Promise<Answer> {
  const { hostname, port } = new URL(platform);
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body && { "content-type": body[0], "content-length": body[1].length }),
  };
  const what = `${method.toUpperCase()} ${url.slice(0, 200)} ${body ? `${body[0]} ${body[1].toString().slice(0, 200)}` : ""}`;
  return new Promise((resolve, reject) => {
    const asked = request(
      { hostname, port, method: method.toUpperCase(), path: url, headers, agent: false, timeout: 30_000 },
      (response) => {
        const chunks: Buffer[] = [];
        const done = () =>
          resolve({
            what,
            status: response.statusCode ?? 0,
            type: response.headers["content-type"] ?? "",
            text: Buffer.concat(chunks).toString(),
          });
        if (response.headers["content-type"]?.startsWith("text/event-stream")) {
          response.destroy();
          return done();
        }
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", done);
        response.on("error", reject);
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within 30 s: ${what}`)));
    asked.on("error", (error) => reject(new Error(`${what}: ${error.message}`)));
    asked.end(body?.[1]);
  });
}

import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import Fastify, { type FastifyInstance } from "fastify";
import { afterEach, expect, test } from "vitest";
import { refuseSlowBodies } from "./bodies.ts";
import { answerFaults, refuseMalformed } from "./problems.ts";

let app: FastifyInstance;
afterEach(() => app.close());

async function listening(seconds: number): Promise<number> {
  app = Fastify({ bodyLimit: 1024 * 1024, clientErrorHandler: refuseMalformed });
  answerFaults(app);
  refuseSlowBodies(app, seconds);
  app.post("/", async (request) => ({ got: request.body }));
  const onRequest = async () => {
    throw Object.assign(new Error("Not you"), { statusCode: 401 });
  };
  app.post("/closed", { onRequest }, async () => ({}));
  await app.listen({ host: "127.0.0.1", port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** Says something as it stands, and gives all that is answered until the connection ends. */
async function said(port: number, ...parts: (string | Buffer)[]): Promise<{ head: string; problem: unknown }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}); // told by what was answered
  for (const part of parts) socket.write(part);
  const answer = await text(socket);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  return { head, problem: JSON.parse(body) as unknown };
}

const post = (length: number) =>
  `POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

test("a body that does not come is refused in time, with what to do; one that comes in pieces is taken", async () => {
  const port = await listening(0.3);
  const { head, problem } = await said(port, post(100), '{"a":');
  expect(head).toMatch(/^HTTP\/1\.1 408 /);
  expect(problem).toMatchObject({ code: "http.body_too_slow", next: expect.stringMatching(/\w/) });
  expect((await said(port, post(7), '{"a"', ":1}")).problem).toEqual({ got: { a: 1 } });
});

test("a request that needs no body, and one whose body nobody reads, are answered, and nothing comes of them later", async () => {
  const port = await listening(0.1);
  const bare = await said(port, "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  expect(bare.head).toMatch(/^HTTP\/1\.1 200 /);
  const unread = await said(port, 'POST /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{"a":');
  expect(unread.head).toMatch(/^HTTP\/1\.1 4/);
  // Its time is over later than theirs: so whatever they left behind has happened by then.
  expect((await said(port, post(100), '{"a":')).head).toMatch(/^HTTP\/1\.1 408 /);
  expect((await said(port, post(7), '{"a":1}')).problem).toEqual({ got: { a: 1 } });
});

test("a body that is refused before its end is read and dropped, so that its sender gets the answer", async () => {
  const port = await listening(30);
  const { head, problem } = await said(port, post(20 * 1024 * 1024), Buffer.alloc(20 * 1024 * 1024, 32));
  expect(head).toMatch(/^HTTP\/1\.1 413 /);
  expect(problem).toMatchObject({ code: "http.fst_err_ctp_body_too_large", next: expect.stringMatching(/\w/) });
  const closed = post(6 * 1024 * 1024).replace("POST /", "POST /closed");
  expect(await said(port, closed, Buffer.alloc(6 * 1024 * 1024, 32))).toMatchObject({ problem: { status: 401, detail: "Not you" } });
});

test("what is no HTTP, and headers without end, are refused as problems", async () => {
  const port = await listening(30);
  for (const nonsense of ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nabc"])
    expect(await said(port, nonsense)).toMatchObject({ head: expect.stringContaining(" 400 "), problem: { code: "http.malformed" } });
  expect(await said(port, `GET /${"x".repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatchObject({
    head: expect.stringContaining(" 431 "),
    problem: { code: "http.headers_too_large" },
  });
});

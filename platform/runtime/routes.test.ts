import Fastify, { type FastifyBaseLogger } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterEach, expect, test } from "vitest";
import { Fault } from "../kernel/faults.ts";
import { silentLog } from "../kernel/log.ts";
import { answerFaults } from "../server/problems.ts";
import type { LogLine, LogOptions, Runtime } from "./contract.ts";
import { runtimeRoutes } from "./routes.ts";

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

/** A server over logs that the test writes; a place is how many lines came before it. */
async function aServer() {
  const lines: LogLine[] = [];
  const state = { isAway: false };
  const say = (line: string) => lines.push({ at: new Date(), revision: "aaaaaaaaaaaa", stream: "out", line });
  const runtime = {
    tail: async ({ service }: { service: string }, { cursor, limit = 200, text }: LogOptions & { cursor?: string } = {}) => {
      if (service !== "orders") throw new Fault("not_found", "runtime.target_unknown", "It has no address here", "Deploy it first.");
      if (state.isAway) throw new Fault("unavailable", "agent.not_running", "No agent runs", "Start it.");
      const wanted = (line: LogLine) => text === undefined || line.line.includes(text);
      const found = cursor === undefined ? lines.filter(wanted).slice(-limit) : lines.slice(Number(cursor)).filter(wanted);
      return { lines: found, cursor: String(lines.length), lostBytes: 0 };
    },
  } as unknown as Runtime;
  const app = Fastify({ loggerInstance: silentLog as FastifyBaseLogger });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  app.decorateRequest("can", async () => {});
  await app.register(runtimeRoutes({ runtime }));
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  ended.push(() => app.close());
  return { app, url, say, state };
}

/** What a follower has been told so far. */
async function aFollower(url: string, query: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  ended.unshift(async () => stop.abort());
  const response = await fetch(`${url}/services/orders/logs/stream?environment=dev&${query}`, { signal: stop.signal, headers });
  let text = "";
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk).toString();
  })().catch(() => {});
  const events = () =>
    [...text.matchAll(/event: (\w+)\nid: (.*)\ndata: (.*)\n\n/g)].map(([, name = "", id = "", data = ""]) => ({
      name,
      id,
      data: JSON.parse(data) as unknown,
    }));
  const seen = () => events().flatMap(({ name, data }) => (name === "lines" ? (data as { line: string }[]).map(({ line }) => line) : []));
  return { response, events, seen, reading };
}

test("what can't be followed is refused before the stream begins", async () => {
  const { app } = await aServer();
  const refused = await app.inject("/services/nothing/logs/stream?environment=dev");
  expect(refused.json()).toMatchObject({ status: 404, code: "runtime.target_unknown" });
  expect((await app.inject("/services/orders/logs/stream?environment=dev&tail=many")).statusCode).toBe(422);
});

test("a follower gets the last lines, then each line once; one that comes back goes on where it was", async () => {
  const { url, say } = await aServer();
  for (const line of ["one", "two", "three"]) say(line);
  const follower = await aFollower(url, "tail=2");
  expect(follower.response.headers.get("content-type")).toBe("text/event-stream");
  await expect.poll(follower.seen).toEqual(["two", "three"]);
  say("four");
  await expect.poll(follower.seen).toEqual(["two", "three", "four"]);
  const place = follower.events().at(-1)?.id ?? "";
  for (const line of ["five", "six"]) say(line);
  const again = await aFollower(url, "tail=2", { "last-event-id": place });
  await expect.poll(again.seen).toEqual(["five", "six"]);
  const searching = await aFollower(url, "text=ve&tail=10");
  await expect.poll(searching.seen).toEqual(["five"]);
});

test("trouble is told once, and passes; the end of the server ends the stream", async () => {
  const { app, url, say, state } = await aServer();
  const follower = await aFollower(url, "tail=0");
  await expect.poll(follower.events).toHaveLength(1);
  state.isAway = true;
  await expect.poll(() => follower.events().map(({ name, data }) => [name, data])).toContainEqual(["trouble", { detail: "No agent runs" }]);
  say("back");
  state.isAway = false;
  await expect.poll(follower.seen).toEqual(["back"]);
  expect(follower.events().filter(({ name }) => name === "trouble")).toHaveLength(1);
  await app.close();
  await follower.reading;
});

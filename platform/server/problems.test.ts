import { expect, test } from "vitest";
import Fastify from "fastify";
import { sql } from "kysely";
import { Fault } from "../kernel/faults.ts";
import { openDatabase } from "../kernel/sql.ts";
import { database } from "../testing/database.ts";
import { answerFaults, problemOf } from "./problems.ts";

const db = await database();

test("a text that PostgreSQL can't keep is the caller's to mend", async () => {
  for (const query of [sql`select ${"a\u0000b"}::text`, sql`select ${JSON.stringify({ a: "\u0000" })}::jsonb`]) {
    const error: unknown = await query.execute(db).then(
      () => undefined,
      (refused: unknown) => refused,
    );
    expect(problemOf(error)).toMatchObject({ status: 422, code: "http.text_refused" });
  }
});

test("a database that is away is no failure inside: it is said, with what to do", async () => {
  const nowhere = openDatabase("postgresql://cairn@localhost/cairn?host=/nonexistent", { maxConnections: 1 });
  for (const [query, on] of [
    [sql`select 1`, nowhere],
    [sql`select pg_terminate_backend(pg_backend_pid())`, db],
  ] as const) {
    const error: unknown = await query.execute(on).then(
      () => undefined,
      (lost: unknown) => lost,
    );
    expect(problemOf(error), String(error)).toMatchObject({ status: 503, code: "http.database_away" });
  }
  await nowhere.destroy();
});

test("an address that leads nowhere is a page for people, and a problem for programs", async () => {
  const app = Fastify();
  answerFaults(app, async (reply) => reply.type("text/html").send("<p>the portal</p>"));
  const at = (url: string, accept: string) => app.inject({ url, headers: { accept } });
  expect(await at("/nowhere", "text/html,*/*;q=0.8")).toMatchObject({ statusCode: 404, body: "<p>the portal</p>" });
  for (const [url, accept] of [
    ["/nowhere", "*/*"],
    ["/api/nowhere", "text/html"],
  ] as const)
    expect((await at(url, accept)).json()).toMatchObject({ status: 404, code: "http.not_found" });
});

test("a fault keeps its code and facts; what nobody foresaw says nothing of the inside", () => {
  const fault = new Fault("rate_limited", "identity.too_many_attempts", "Too many", "Wait.", { retryAfterSeconds: 7 });
  expect(problemOf(fault)).toMatchObject({ status: 429, code: "identity.too_many_attempts", next: "Wait.", retryAfterSeconds: 7 });
  expect(problemOf(new Error("password=hunter2"))).toMatchObject({ status: 500, detail: "Something went wrong inside" });
});

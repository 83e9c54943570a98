import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, expect, test } from "vitest";
import { startPostgres } from "@cairn/agent/postgres/launch.ts";
import { systemClock } from "../kernel/clock.ts";
import { silentLog } from "../kernel/log.ts";
import { migrate, openDatabase } from "../kernel/sql.ts";
import { allMigrations } from "../server/migrations.ts";
import { workflow } from "./contract.ts";
import { startOrchestrator } from "./orchestrator.ts";
import { run } from "./store.ts";

const folder = await mkdtemp(join(tmpdir(), "cairn-away-"));
await chmod(folder, 0o755); // as root PostgreSQL runs as somebody else
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a run goes on where it was when the database was away: before, in and after each of its steps", { timeout: 240_000 }, async () => {
  const options = { folder: join(folder, "postgres"), settings: { fsync: "off" } };
  let postgres = await startPostgres(options);
  const databaseUrl = postgres.url();
  const db = openDatabase(databaseUrl, { maxConnections: 4, onError: () => {} });
  await migrate(db, allMigrations);
  await sql`create table booking (what text not null)`.execute(db);
  const done: string[] = [];
  let away: Promise<void> = Promise.resolve();
  const times = new Set<string>();
  /** It dies at once, or ends in order, which takes its socket away too, and is not there again for some seconds; once at each place. */
  const goesAway = async (place: string) => {
    if (times.has(place)) return;
    times.add(place);
    await away; // it answers a little before we know its number
    process.kill(postgres.pid, times.size % 2 === 1 ? "SIGKILL" : "SIGINT");
    away = (async () => {
      await postgres.exited;
      await sleep(3000);
      postgres = await startPostgres(options);
    })();
  };
  const inner = workflow(
    "inner",
    () => ["dig"],
    async (its) => its.step("dig", async ({ key }) => void done.push(key)),
  );
  const story = workflow(
    "story",
    () => ["ask", "book", "delegate", "last"],
    async (its) => {
      await its.step("ask", async ({ key }) => {
        await goesAway("ask");
        await sql`select count(*) from booking`.execute(db);
        done.push(key);
      });
      await its.transaction("book", async (tx) => {
        await sql`insert into booking values ('one')`.execute(tx);
        await goesAway("book");
        await sql`select count(*) from booking`.execute(tx);
      });
      await goesAway("delegate");
      await its.child("delegate", inner, null);
      await its.pause(0.1);
      await its.step("last", async ({ key }) => {
        done.push(key);
        await goesAway("last");
      });
      return "all of it";
    },
  );
  const orchestrator = await startOrchestrator({
    databaseUrl,
    db,
    clock: systemClock,
    log: silentLog,
    workflows: [inner, story],
    parts: null,
    retrySeconds: 0.05,
  });
  try {
    await orchestrator.start(story, null, { id: "r", about: "component:default/orders", startedBy: "user:default/ada" });
    expect(await orchestrator.result("r")).toBe("all of it");
    await away;
    expect(times.size).toBe(4);
    expect([...new Set(done)]).toEqual(["r/ask", "r/delegate/dig", "r/last"]);
    expect((await sql`select what from booking`.execute(db)).rows).toEqual([{ what: "one" }]);
    expect(await run(db, "r")).toMatchObject({ state: "success", error: null });
    expect(await run(db, "r/delegate")).toMatchObject({ state: "success", error: null });
  } finally {
    await away;
    await orchestrator.close();
    await db.destroy();
    await postgres.stop();
  }
});

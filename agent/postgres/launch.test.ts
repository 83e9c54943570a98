import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, expect, test } from "vitest";
import { processTable } from "../services/proc.ts";
import { startPostgres } from "./launch.ts";

const folder = await mkdtemp(join(tmpdir(), "cairn-launch-"));
await chmod(folder, 0o755); // as root it runs as somebody else
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a PostgreSQL whose watchdog was killed gives way to the next one", async () => {
  const first = await startPostgres({ folder });
  const table = await processTable();
  const shell = table.get(first.pid)?.parent;
  const dog = [...table.values()].find(({ pid, parent }) => parent === shell && pid !== first.pid);
  process.kill(dog?.pid ?? 0, "SIGKILL");
  const second = await startPostgres({ folder });
  try {
    await first.exited;
    expect(second.pid).not.toBe(first.pid);
    const client = new Client({ connectionString: second.url() });
    await client.connect();
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.end();
  } finally {
    await second.stop();
  }
});

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import pg from "pg";
import { postgresItems } from "../src/postgres-items.js";

const url = process.env.TEST_DATABASE_URL;

/** Places to keep items, besides memory, that the tests of the resource run against: PostgreSQL if TEST_DATABASE_URL names one, in a schema of the test's own. */
export const stores = url ? { "in PostgreSQL": inPostgres } : {};

async function inPostgres() {
  const schema = `test_${randomBytes(6).toString("hex")}`;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`create schema ${schema}`);
  const open = () => postgresItems({ url, log: { info() {}, error() {} }, options: `-c search_path=${schema}` });
  const replicas = [open(), open(), open()]; // that start at once
  await Promise.all(replicas.map(untilReady));
  await Promise.all(replicas.slice(1).map((replica) => replica.close()));
  return {
    items: replicas[0],
    async remove() {
      await admin.query(`drop schema ${schema} cascade`);
      const ended = once(admin, "end");
      await admin.end();
      await ended;
    },
  };
}

async function untilReady(items) {
  for (;;) {
    const ready = await items.ready().then(
      () => true,
      () => false,
    );
    if (ready) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

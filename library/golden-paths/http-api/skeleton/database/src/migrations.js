/** The schema, step by step. A step that has run anywhere is never changed: add the next one. */
const STEPS = [
  `create table item (
     id uuid primary key default gen_random_uuid(),
     position bigint generated always as identity unique,
     name text not null,
     note text not null,
     created_at timestamptz(3) not null default now()
   )`,
];

/** Brings the schema up to date in one transaction. Replicas that start at once take turns; the later ones find nothing to do. */
export async function migrate(pool) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query("set local statement_timeout = '60s'");
    await client.query("select pg_advisory_xact_lock(hashtext('schema_step'))");
    await client.query("create table if not exists schema_step (step int primary key, done_at timestamptz not null default now())");
    const { rows } = await client.query("select coalesce(max(step), 0) as done from schema_step");
    for (const [index, statement] of STEPS.entries()) {
      if (index < rows[0].done) continue;
      await client.query(statement);
      await client.query("insert into schema_step (step) values ($1)", [index + 1]);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

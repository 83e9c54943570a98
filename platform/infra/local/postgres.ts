import { Client, escapeIdentifier as id, escapeLiteral as text } from "pg";
import { z } from "zod";
import { newSecret } from "../../kernel/ids.ts";
import type { SecretStore } from "../../secrets/contract.ts";
import type { InfraTarget } from "../contract.ts";
import { nameTaken } from "../faults.ts";
import { scramVerifier } from "./scram.ts";

/** As planned by the module, and as recorded. `keptAs` is set once it is decided that a database with data gets another name. */
const Properties = z.object({
  database: z.string(),
  role: z.string(),
  connectionLimit: z.number(),
  secret: z.string(),
  keptAs: z.string().nullish(),
});

export interface PostgresParts {
  /** A superuser's connection string, or that of a role that may create roles and databases. */
  adminUrl: string;
  secrets: SecretStore;
  /** The database of the platform itself, which services have no business in; its name also tells one platform's databases from another's on one server. */
  platformDatabase: string;
}

/**
 * Makes the database, the role and their secret, or brings them to what `properties` say; what is there already stays. The password is made here and goes to the secret store
 * alone: PostgreSQL gets its verifier. Throws `infra.name_taken` when a database or role of that name is somebody else's.
 */
export async function ensurePostgres(parts: PostgresParts, target: InfraTarget, properties: unknown): Promise<void> {
  const { database, role, connectionLimit, secret } = Properties.parse(properties);
  const at = (key: string) => ({ ...target, name: secret, key });
  await parts.secrets.set(at("password"), newSecret(), { onlyIfMissing: true });
  const password = await parts.secrets.reveal(at("password"));
  const verifier = await scramVerifier(password);
  await asAdmin(parts.adminUrl, async (admin) => {
    const mark = markOf(parts, target);
    await ensureRole(
      admin,
      role,
      mark,
      `login nosuperuser nocreatedb nocreaterole connection limit ${connectionLimit} password ${text(verifier)}`,
    );
    const { rows } = await admin.query<{ owner: string; mark: string | null }>(
      "select pg_get_userbyid(datdba) as owner, shobj_description(oid, 'pg_database') as mark from pg_database where datname = $1",
      [database],
    );
    // Ours by its owner too: a crash between the two statements below leaves it unmarked.
    if (rows[0] && rows[0].mark !== mark && rows[0].owner !== role) throw nameTaken("database", database);
    if (!rows[0]) await admin.query(`create database ${id(database)} owner ${id(role)} template template0`);
    await admin.query(`revoke connect, temporary on database ${id(database)} from public`);
    await admin.query(`comment on database ${id(database)} is ${text(mark)}`);
    const own = await admin.query("select from pg_database where datname = $1 and pg_has_role(datdba, 'usage')", [parts.platformDatabase]);
    if (own.rowCount === 1) await admin.query(`revoke connect, temporary on database ${id(parts.platformDatabase)} from public`);
  });
  for (const [key, value] of Object.entries(outputsOf(parts.adminUrl, { database, role, password })))
    await parts.secrets.set(at(key), value);
}

/**
 * Takes the database away. With tables in it it is renamed to `keepAs`, its role too, and nobody can sign in any more; without, or with `dropData`, both are dropped.
 * Says which. What is gone already is no error.
 */
export async function removePostgres(
  parts: PostgresParts,
  target: InfraTarget,
  properties: unknown,
  keepAs: string,
  dropData: boolean,
): Promise<"deleted" | "retained"> {
  const { database, role, secret } = Properties.parse(properties);
  const result = await asAdmin(parts.adminUrl, async (admin) => {
    const there = async (name: string) => (await admin.query("select from pg_database where datname = $1", [name])).rowCount === 1;
    const roleThere = async (name: string) => (await admin.query("select from pg_roles where rolname = $1", [name])).rowCount === 1;
    if (await roleThere(role)) await admin.query(`alter role ${id(role)} nologin`);
    const found = await there(database);
    if (found) {
      await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()", [
        database,
      ]);
      if (!dropData && (await holdsTables(parts.adminUrl, database)))
        await admin.query(`alter database ${id(database)} rename to ${id(keepAs)}`);
      else await admin.query(`drop database ${id(database)} with (force)`);
    }
    const kept = await there(keepAs);
    if (await roleThere(role)) await admin.query(kept ? `alter role ${id(role)} rename to ${id(keepAs)}` : `drop role ${id(role)}`);
    return kept ? "retained" : "deleted";
  });
  await parts.secrets.remove({ ...target, name: secret });
  return result;
}

/** What a workload learns: the keys of its secret. */
function outputsOf(
  adminUrl: string,
  { database, role, password }: { database: string; role: string; password: string },
): Record<string, string> {
  const url = new URL(adminUrl);
  const host = url.searchParams.get("host") ?? url.hostname;
  const port = url.searchParams.get("port") ?? (url.port || "5432");
  url.username = role;
  url.password = password;
  url.pathname = `/${encodeURIComponent(database)}`;
  return { host, port, name: database, database, username: role, uri: url.href };
}

async function ensureRole(admin: Client, role: string, mark: string, options: string): Promise<void> {
  const { rows } = await admin.query<{ mark: string | null }>(
    "select shobj_description(oid, 'pg_authid') as mark from pg_roles where rolname = $1",
    [role],
  );
  if (rows[0] && rows[0].mark !== mark) throw nameTaken("role", role);
  await admin.query("begin"); // a role and its mark are there together, or not at all
  await admin.query(`${rows[0] ? "alter" : "create"} role ${id(role)} with ${options}`);
  await admin.query(`comment on role ${id(role)} is ${text(mark)}`);
  // Only a superuser may give a database to a role that it is not a member of.
  const { rows: self } = await admin.query<{ super: boolean }>("select rolsuper as super from pg_roles where rolname = current_user");
  if (!self[0]?.super) await admin.query(`grant ${id(role)} to current_user`);
  await admin.query("commit");
}

async function holdsTables(adminUrl: string, database: string): Promise<boolean> {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  return await withClient(url.href, async (client) => {
    const { rowCount } = await client.query(
      `select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
       where relkind in ('r', 'p', 'm', 'f') and nspname !~ '^pg_' and nspname <> 'information_schema' limit 1`,
    );
    return rowCount === 1;
  });
}

/** One at a time: PostgreSQL refuses two copies of a template database at once, and two appliers would step on each other's toes. */
const asAdmin = <T>(adminUrl: string, body: (admin: Client) => Promise<T>): Promise<T> =>
  withClient(adminUrl, async (admin) => {
    await admin.query("select pg_advisory_lock(7146012)");
    return await body(admin); // the lock goes with the session
  });

async function withClient<T>(url: string, body: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {}); // a query that is under way fails with it
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

const markOf = ({ platformDatabase }: PostgresParts, { service, environment }: InfraTarget): string =>
  `Made by Cairn (platform database ${platformDatabase}) for service ${service}, environment ${environment}`;

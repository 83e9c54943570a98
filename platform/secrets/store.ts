import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { newId } from "../kernel/ids.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import { secretKey, SERVICE_SECRETS, type SecretStore } from "./contract.ts";
import { secretNotSet, valueRefused } from "./faults.ts";
import type { SecretInfo } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    service_secret: { service: string; environment: string; name: string; version: string; set_by: string; set_at: Date };
  }
}

/** A variable of a process may be 128 KiB on Linux, its name included. */
const MOST_BYTES = 64 * 1024;

export interface SecretTarget {
  service: string;
  environment: string;
}

export const secretsOf = async (db: Sql, service: string): Promise<Omit<SecretInfo, "use">[]> =>
  (
    await db
      .selectFrom("service_secret")
      .select(["name", "environment", "version", "set_by", "set_at"])
      .where("service", "=", service)
      .orderBy("name")
      .orderBy("environment")
      .execute()
  ).map(({ set_by: setBy, set_at: setAt, ...row }) => ({ ...row, setBy, setAt }));

/**
 * Sets a secret in each of the environments: the value goes to the secret store as a version of its own before the database learns of that version; so a crash in
 * between leaves what was. Throws `secrets.value_refused`.
 */
export async function setSecret(
  { db, clock, secrets }: { db: Db; clock: Clock; secrets: SecretStore },
  actor: string,
  order: { service: string; environments: readonly string[]; name: string; value: string },
): Promise<void> {
  const { service, name, value } = order;
  const why = whyNot(value);
  if (why !== undefined) throw valueRefused(name, why);
  const version = newId("v", clock).slice(2);
  await transact(db, async (tx) => {
    await takeTurns(tx, service);
    for (const environment of order.environments)
      await secrets.set({ service, environment, name: SERVICE_SECRETS, key: secretKey(name, version) }, value);
    const row = { version, set_by: actor, set_at: clock.now() };
    for (const environment of order.environments)
      await tx
        .insertInto("service_secret")
        .values({ service, environment, name, ...row })
        .onConflict((oc) => oc.columns(["service", "environment", "name"]).doUpdateSet(row))
        .execute();
    const data = { name, environments: order.environments, version };
    await record(tx, clock, { type: "secrets.set", about: `component:default/${service}`, actor, data });
  });
}

/** Takes a secret out of the environments: no release begins with it any more. Its bytes go with `forgetUnused`. Throws `secrets.not_set`. */
export async function unsetSecret(
  { db, clock }: { db: Db; clock: Clock },
  actor: string,
  { service, environments, name }: { service: string; environments: readonly string[]; name: string },
): Promise<void> {
  await transact(db, async (tx) => {
    const gone = await tx
      .deleteFrom("service_secret")
      .where("service", "=", service)
      .where("environment", "in", [...environments])
      .where("name", "=", name)
      .returning("environment")
      .execute();
    if (gone.length === 0) throw secretNotSet(service, name, environments);
    const data = { name, environments: gone.map(({ environment }) => environment).toSorted() };
    await record(tx, clock, { type: "secrets.unset", about: `component:default/${service}`, actor, data });
  });
}

/** What infrastructure needs of the secrets that people set. */
export const serviceSecrets = (db: Db, secrets: SecretStore) => ({
  versions: (target: SecretTarget) => secretVersions(db, target),
  forgetUnused: (target: SecretTarget, used: readonly string[]) => forgetUnused(db, secrets, target, used),
});

/** Removes the bytes of all versions but the current ones and those of `used` (keys that something released refers to). */
export async function forgetUnused(db: Db, secrets: SecretStore, target: SecretTarget, used: readonly string[]): Promise<void> {
  await transact(db, async (tx) => {
    await takeTurns(tx, target.service);
    const current = Object.entries(await secretVersions(tx, target)).map(([name, version]) => secretKey(name, version));
    const keep = new Set([...current, ...used]);
    for (const { name, key } of await secrets.list(target))
      if (name === SERVICE_SECRETS && !keep.has(key)) await secrets.remove({ ...target, name, key });
  });
}

/** The current versions by name: what a plan of this target refers to. */
async function secretVersions(db: Sql, { service, environment }: SecretTarget): Promise<Record<string, string>> {
  const rows = await db
    .selectFrom("service_secret")
    .select(["name", "version"])
    .where("service", "=", service)
    .where("environment", "=", environment)
    .execute();
  return Object.fromEntries(rows.map(({ name, version }) => [name, version]));
}

/** Until the transaction's end: a version that was just written must not be taken for one that nobody knows. */
const takeTurns = (tx: Tx, service: string) => sql`select pg_advisory_xact_lock(7146011, hashtext(${service}))`.execute(tx);

function whyNot(value: string): string | undefined {
  if (value === "") return "it is empty";
  if (value.includes("\0")) return "it holds a NUL, which no variable of a process can";
  if (!value.isWellFormed()) return "it is no text in UTF-8";
  return Buffer.byteLength(value) > MOST_BYTES ? `it is larger than ${MOST_BYTES / 1024} KiB` : undefined;
}

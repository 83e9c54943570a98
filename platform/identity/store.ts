import type { Clock } from "../kernel/clock.ts";
import { newId, newSecret } from "../kernel/ids.ts";
import { transact, type Db, type Sql, type Tx } from "../kernel/sql.ts";
import type { Actor } from "../ledger/model.ts";
import { record } from "../ledger/store.ts";
import type { Decision } from "./access.ts";
import { hashOfSecret, newToken } from "./credentials.ts";
import { linkExpired, linkUnknown, linkUsed, personUnknown, tokenNotFound } from "./faults.ts";
import { ADMINISTRATOR, type Action, type Principal, type Scope, type Subject, type TokenInfo } from "./model.ts";

declare module "../kernel/sql.ts" {
  interface Tables {
    identity_person: { ref: string; display_name: string; administrator: boolean; created_at: Date };
    identity_sign_in_link: { secret_hash: string; person: string; created_at: Date; expires_at: Date; used_at: Date | null };
    identity_session: { secret_hash: string; person: string; created_at: Date; last_seen_at: Date; expires_at: Date };
    identity_token: {
      id: string;
      secret_hash: string;
      person: string;
      name: string;
      scopes: Scope[];
      created_by: string;
      created_at: Date;
      expires_at: Date;
      last_used_at: Date | null;
      revoked_at: Date | null;
    };
  }
}

const LINK_SECONDS = 15 * 60;
/** So long after its end a link is still known, to say that it was used or came too late. */
const LINK_KEPT_SECONDS = 86_400;
/** A session ends after so long without a request, and after SESSION_MAX_SECONDS in any case. */
export const SESSION_IDLE_SECONDS = 7 * 86_400;
export const SESSION_MAX_SECONDS = 30 * 86_400;
/** How exactly "last seen" and "last used" are kept: a write for every request would buy nothing. */
const SEEN_EVERY_SECONDS = 60;

export interface Person {
  ref: string;
  displayName: string;
  administrator: boolean;
}

/** Makes the local administrator where there is none yet. */
export async function ensureAdministrator(db: Db, clock: Clock): Promise<void> {
  await transact(db, (tx) =>
    ensurePerson(tx, clock, "system:identity", { ref: ADMINISTRATOR, displayName: "Administrator", administrator: true }),
  );
}

/** Makes a person who can sign in, where there is none of that reference; one that is there stays as it is. */
export async function ensurePerson(tx: Tx, clock: Clock, actor: Actor, person: Person): Promise<void> {
  const row = await tx
    .insertInto("identity_person")
    .values({ ref: person.ref, display_name: person.displayName, administrator: person.administrator, created_at: clock.now() })
    .onConflict((oc) => oc.column("ref").doNothing())
    .returning("ref")
    .executeTakeFirst();
  if (row)
    await record(tx, clock, { type: "identity.person_added", about: person.ref, actor, data: { administrator: person.administrator } });
}

/** Whether somebody is an administrator now. */
export const isAdministrator = async (db: Sql, ref: string): Promise<boolean> => (await findPerson(db, ref))?.administrator === true;

async function findPerson(db: Sql, ref: string): Promise<Person | undefined> {
  const row = await db.selectFrom("identity_person").selectAll().where("ref", "=", ref).executeTakeFirst();
  return row && { ref: row.ref, displayName: row.display_name, administrator: row.administrator };
}

/** Everybody who may do what administrators may. */
export async function administrators(db: Sql): Promise<string[]> {
  const rows = await db.selectFrom("identity_person").select("ref").where("administrator", "=", true).orderBy("ref").execute();
  return rows.map(({ ref }) => ref);
}

/**
 * Makes a one-time sign-in link for a person (the local administrator unless told) and gives its secret, which is kept nowhere. It works once,
 * within 15 minutes. Throws `identity.person_unknown`.
 */
export async function makeSignInLink(db: Db, clock: Clock, options: { person?: string; actor?: Actor } = {}): Promise<string> {
  const person = options.person ?? ADMINISTRATOR;
  const secret = newSecret();
  await transact(db, async (tx) => {
    if (!(await findPerson(tx, person))) throw personUnknown(person);
    const expiresAt = later(clock.now(), LINK_SECONDS);
    await tx.deleteFrom("identity_sign_in_link").where("expires_at", "<", later(clock.now(), -LINK_KEPT_SECONDS)).execute();
    await tx
      .insertInto("identity_sign_in_link")
      .values({ secret_hash: hashOfSecret(secret), person, created_at: clock.now(), expires_at: expiresAt, used_at: null })
      .execute();
    await record(tx, clock, {
      type: "identity.sign_in_link_made",
      about: person,
      actor: options.actor ?? "system:cli",
      data: { expiresAt },
    });
  });
  return secret;
}

/**
 * Uses a sign-in link up, in the transaction of what it is used for, and gives its person. Of two requests at once the database lets one win.
 * Throws `identity.link_unknown`, `identity.link_expired`, `identity.link_used`.
 */
async function useLink(tx: Tx, clock: Clock, secret: string): Promise<Person> {
  const link = await tx
    .selectFrom("identity_sign_in_link")
    .selectAll()
    .where("secret_hash", "=", hashOfSecret(secret))
    .forUpdate()
    .executeTakeFirst();
  if (!link) throw linkUnknown();
  if (link.used_at) throw linkUsed(link.used_at);
  if (link.expires_at <= clock.now()) throw linkExpired(link.expires_at);
  await tx.updateTable("identity_sign_in_link").set({ used_at: clock.now() }).where("secret_hash", "=", link.secret_hash).execute();
  return (await findPerson(tx, link.person))!;
}

/** Signs in: uses a link up for a session, and gives the session's secret, which is kept nowhere. Throws as `identity.link_…`. */
export async function redeemForSession(
  db: Db,
  clock: Clock,
  linkSecret: string,
): Promise<{ person: Person; secret: string; expiresAt: Date }> {
  const secret = newSecret();
  const expiresAt = later(clock.now(), SESSION_IDLE_SECONDS);
  return transact(db, async (tx) => {
    const person = await useLink(tx, clock, linkSecret);
    await tx.deleteFrom("identity_session").where("expires_at", "<=", clock.now()).execute();
    await tx
      .insertInto("identity_session")
      .values({
        secret_hash: hashOfSecret(secret),
        person: person.ref,
        created_at: clock.now(),
        last_seen_at: clock.now(),
        expires_at: expiresAt,
      })
      .execute();
    await record(tx, clock, { type: "identity.signed_in", about: person.ref, actor: person.ref, data: { expiresAt } });
    return { person, secret, expiresAt };
  });
}

export interface NewToken {
  person: string;
  name: string;
  scopes: readonly Scope[];
  expiresInDays: number;
}

/** Uses a link up for a token with all that its person may. Throws as `identity.link_…`. */
export async function redeemForToken(
  db: Db,
  clock: Clock,
  linkSecret: string,
  wanted: { name: string; expiresInDays: number },
): Promise<{ person: Person; token: string; info: TokenInfo }> {
  return transact(db, async (tx) => {
    const person = await useLink(tx, clock, linkSecret);
    return { person, ...(await insertToken(tx, clock, person.ref, { ...wanted, person: person.ref, scopes: scopesOf(person) })) };
  });
}

/** Makes an API token and gives it; only its hash is kept. Throws `identity.person_unknown`. */
export async function makeToken(db: Db, clock: Clock, actor: Actor, wanted: NewToken): Promise<{ token: string; info: TokenInfo }> {
  return transact(db, async (tx) => {
    if (!(await findPerson(tx, wanted.person))) throw personUnknown(wanted.person);
    return insertToken(tx, clock, actor, wanted);
  });
}

async function insertToken(tx: Tx, clock: Clock, actor: Actor, wanted: NewToken): Promise<{ token: string; info: TokenInfo }> {
  const token = newToken();
  const row = await tx
    .insertInto("identity_token")
    .values({
      id: newId("tok", clock),
      secret_hash: hashOfSecret(token),
      person: wanted.person,
      name: wanted.name,
      scopes: [...wanted.scopes],
      created_by: actor,
      created_at: clock.now(),
      expires_at: later(clock.now(), wanted.expiresInDays * 86_400),
      last_used_at: null,
      revoked_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const info = infoOf(row);
  const { id, name, scopes, expiresAt } = info;
  await record(tx, clock, { type: "identity.token_made", about: wanted.person, actor, data: { id, name, scopes, expiresAt } });
  return { token, info };
}

/** Tokens of a person, or of all when none is named; newest first. */
export async function tokens(db: Sql, person?: string): Promise<TokenInfo[]> {
  let query = db.selectFrom("identity_token").selectAll().orderBy("created_at", "desc").orderBy("id", "desc").limit(1000);
  if (person !== undefined) query = query.where("person", "=", person);
  return (await query.execute()).map(infoOf);
}

/** Revokes a token; once more is no error. `of` limits it to one person's. Throws `identity.token_not_found`. */
export async function revokeToken(db: Db, clock: Clock, actor: Actor, id: string, of?: string): Promise<void> {
  await transact(db, async (tx) => {
    const row = await tx
      .selectFrom("identity_token")
      .select(["person", "name", "revoked_at"])
      .where("id", "=", id)
      .forUpdate()
      .executeTakeFirst();
    if (!row || (of !== undefined && row.person !== of)) throw tokenNotFound(id);
    if (row.revoked_at) return;
    await tx.updateTable("identity_token").set({ revoked_at: clock.now() }).where("id", "=", id).execute();
    await record(tx, clock, { type: "identity.token_revoked", about: row.person, actor, data: { id, name: row.name } });
  });
}

/** The token of this secret with its person, and notes that it was used. */
export async function findToken(db: Sql, clock: Clock, secret: string) {
  const hash = hashOfSecret(secret);
  const row = await db
    .selectFrom("identity_token as token")
    .innerJoin("identity_person as person", "person.ref", "token.person")
    .select(["token.id", "token.name", "token.scopes", "token.expires_at", "token.revoked_at", "token.last_used_at", "token.created_by"])
    .select(["person.ref", "person.display_name", "person.administrator"])
    .where("token.secret_hash", "=", hash)
    .executeTakeFirst();
  if (row && !row.revoked_at && stale(row.last_used_at, clock)) {
    await db.updateTable("identity_token").set({ last_used_at: clock.now() }).where("secret_hash", "=", hash).execute();
  }
  return row;
}

/** The living session of this secret with its person, and slides its end. */
export async function findSession(db: Sql, clock: Clock, secret: string): Promise<(Person & { expiresAt: Date }) | undefined> {
  const hash = hashOfSecret(secret);
  const row = await db
    .selectFrom("identity_session as session")
    .innerJoin("identity_person as person", "person.ref", "session.person")
    .select([
      "session.created_at",
      "session.last_seen_at",
      "session.expires_at",
      "person.ref",
      "person.display_name",
      "person.administrator",
    ])
    .where("session.secret_hash", "=", hash)
    .where("session.expires_at", ">", clock.now())
    .executeTakeFirst();
  if (!row) return undefined;
  let expiresAt = row.expires_at;
  if (stale(row.last_seen_at, clock)) {
    const idle = later(clock.now(), SESSION_IDLE_SECONDS);
    const last = later(row.created_at, SESSION_MAX_SECONDS);
    expiresAt = idle < last ? idle : last;
    await db
      .updateTable("identity_session")
      .set({ last_seen_at: clock.now(), expires_at: expiresAt })
      .where("secret_hash", "=", hash)
      .execute();
  }
  return { ref: row.ref, displayName: row.display_name, administrator: row.administrator, expiresAt };
}

/** Ends a session; one that has ended is no error. */
export async function endSession(db: Db, clock: Clock, secret: string): Promise<void> {
  await transact(db, async (tx) => {
    const row = await tx
      .deleteFrom("identity_session")
      .where("secret_hash", "=", hashOfSecret(secret))
      .returning("person")
      .executeTakeFirst();
    if (row) await record(tx, clock, { type: "identity.signed_out", about: row.person, actor: row.person });
  });
}

/** Keeps that somebody tried what they may not. */
export async function recordRefusal(
  db: Db,
  clock: Clock,
  principal: Principal,
  action: Action,
  subject: Subject,
  decision: Decision,
): Promise<void> {
  const data = { action, subject, rule: decision.rule };
  await transact(db, (tx) => record(tx, clock, { type: "identity.access_refused", about: principal.ref, actor: principal.ref, data }));
}

/** What a person may at most: administrators everything, all others read and write. */
export const scopesOf = (person: { administrator: boolean }): Scope[] =>
  person.administrator ? ["read", "write", "admin"] : ["read", "write"];

const later = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1000);
const stale = (at: Date | null, clock: Clock): boolean => at === null || clock.now().getTime() - at.getTime() >= SEEN_EVERY_SECONDS * 1000;

function infoOf(row: {
  id: string;
  name: string;
  person: string;
  scopes: Scope[];
  created_at: Date;
  expires_at: Date;
  last_used_at: Date | null;
  revoked_at: Date | null;
}): TokenInfo {
  const { created_at, expires_at, last_used_at, revoked_at } = row;
  const kept = { id: row.id, name: row.name, person: row.person, scopes: row.scopes };
  return { ...kept, createdAt: created_at, expiresAt: expires_at, lastUsedAt: last_used_at, revokedAt: revoked_at };
}

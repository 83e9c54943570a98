import type { Clock } from "../kernel/clock.ts";
import type { Db } from "../kernel/sql.ts";
import { csrfTokenOf, sameSecret, TOKEN_PREFIX, tokenOfHeader } from "./credentials.ts";
import { csrfTokenWrong, foreignOrigin, sessionUnknown, tokenExpired, tokenRevoked, tokenUnknown, unauthenticated } from "./faults.ts";
import { ADMINISTRATOR, type Directory, type Principal } from "./model.ts";
import { findSession, findToken, scopesOf } from "./store.ts";

export interface IdentityParts {
  db: Db;
  clock: Clock;
  directory: Directory;
  /** CAIRN_ADMIN_TOKEN: an administrator's token for automation, kept in no database. */
  adminToken?: string | undefined;
}

/** What of a request says who calls. */
export interface Credentials {
  method: string;
  authorization?: string | undefined;
  sessionCookie?: string | undefined;
  csrfToken?: string | undefined;
  origin?: string | undefined;
  fetchSite?: string | undefined;
  host?: string | undefined;
}

/** Who calls, and by what; `sessionSecret` and `csrfToken` only for a session. */
export interface Caller {
  principal: Principal;
  expiresAt: Date | null;
  csrfToken: string | null;
  sessionSecret: string | null;
}

const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Who is calling: by Authorization (Bearer, or Basic with the token as password), else by session cookie; undefined where neither is given.
 * A header that is wrong is refused even where the cookie is right. Throws `identity.token_…`, `identity.session_unknown`, and for a change by a session
 * that another page may have sent, `identity.foreign_origin` or `identity.csrf_token`.
 */
export async function authenticate(parts: IdentityParts, given: Credentials): Promise<Caller | undefined> {
  if (given.authorization !== undefined) return callerOfToken(parts, given.authorization);
  if (given.sessionCookie === undefined || given.sessionCookie === "") return undefined;
  const session = await findSession(parts.db, parts.clock, given.sessionCookie);
  if (!session) throw sessionUnknown();
  const csrfToken = csrfTokenOf(given.sessionCookie);
  if (!READS.has(given.method)) {
    refuseForeignOrigin(given, "required");
    if (given.csrfToken === undefined || !sameSecret(given.csrfToken, csrfToken)) throw csrfTokenWrong();
  }
  const principal = await principalOf(parts, session, "person");
  return { principal, expiresAt: session.expiresAt, csrfToken, sessionSecret: given.sessionCookie };
}

/** Throws `identity.foreign_origin` unless what the browser says of the page that asks names this very origin; where `required`, it must say something. */
export function refuseForeignOrigin({ origin, fetchSite, host }: Credentials, evidence: "required" | "where given"): void {
  if (fetchSite !== undefined && fetchSite !== "same-origin") throw foreignOrigin(origin ?? `another place (${fetchSite})`);
  if (origin !== undefined && hostOf(origin) !== host) throw foreignOrigin(origin);
  if (evidence === "required" && origin === undefined && fetchSite === undefined) throw foreignOrigin("an unnamed origin");
}

async function callerOfToken(parts: IdentityParts, authorization: string): Promise<Caller> {
  const secret = tokenOfHeader(authorization);
  if (secret === undefined) throw unauthenticated();
  if (parts.adminToken !== undefined && sameSecret(secret, parts.adminToken)) {
    const administrator = { ref: ADMINISTRATOR, displayName: "Bootstrap token", administrator: true };
    return { principal: await principalOf(parts, administrator, "token"), expiresAt: null, csrfToken: null, sessionSecret: null };
  }
  const token = secret.startsWith(TOKEN_PREFIX) ? await findToken(parts.db, parts.clock, secret) : undefined;
  if (!token) throw tokenUnknown();
  if (token.revoked_at) throw tokenRevoked(token.revoked_at);
  if (token.expires_at <= parts.clock.now()) throw tokenExpired(token.expires_at);
  const person = { ref: token.ref, displayName: token.display_name, administrator: token.administrator };
  const principal = {
    ...(await principalOf(parts, person, "token")),
    scopes: token.scopes,
    ...(token.created_by !== token.ref && { tokenBy: token.created_by }),
  };
  return { principal, expiresAt: token.expires_at, csrfToken: null, sessionSecret: null };
}

async function principalOf(
  parts: IdentityParts,
  person: { ref: string; displayName: string; administrator: boolean },
  kind: "person" | "token",
): Promise<Principal> {
  const { ref, displayName, administrator } = person;
  return { ref, kind, displayName, scopes: scopesOf(person), groups: await parts.directory.groupsOf(ref), administrator };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

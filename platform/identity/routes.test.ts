import Fastify, { type InjectOptions } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { afterAll, describe, expect, test } from "vitest";
import type { Db } from "../kernel/sql.ts";
import { events, verify } from "../ledger/store.ts";
import { answerFaults } from "../server/problems.ts";
import { testClock } from "../testing/clock.ts";
import { testDatabase } from "../testing/database.ts";
import { identityAccess } from "./access-hook.ts";
import { sameSecret, tokenOfHeader } from "./credentials.ts";
import type { Directory } from "./model.ts";
import { identityRoutes } from "./routes.ts";
import { ensureAdministrator, makeSignInLink, makeToken, SESSION_IDLE_SECONDS, SESSION_MAX_SECONDS } from "./store.ts";

const BOOTSTRAP = "a-bootstrap-token-for-tests-only";
const HERE = { host: "cairn.test", origin: "http://cairn.test" };
const directory: Directory = {
  groupsOf: async (user) => (user === "user:default/ada" ? ["group:default/team-a"] : []),
  person: async (ref) => (ref === "user:default/ada" ? { displayName: "Ada" } : undefined),
};

async function platform() {
  const { db } = await testDatabase();
  const clock = testClock();
  await ensureAdministrator(db, clock);
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  await app.register(identityAccess({ db, clock, directory, adminToken: BOOTSTRAP }));
  await app.register(identityRoutes({ db, clock, directory, adminToken: BOOTSTRAP }), { prefix: "/api" });
  app.get("/open", { config: { open: true } }, async (request) => ({ who: request.principal.ref }));
  app.get("/git/orders.git", async () => ({}));
  app.post("/api/services/:name/change", async (request) => {
    await request.can("service.change", { owner: "team-a", name: (request.params as { name: string }).name });
    return {};
  });
  afterAll(() => app.close());
  const call = (method: InjectOptions["method"] & string, url: string, options: InjectOptions = {}) =>
    app.inject({ method, url, ...options } as InjectOptions);
  const redeem = async (as = "session", headers: Record<string, string> = {}) =>
    call("POST", "/api/auth/redeem", { payload: { token: await makeSignInLink(db, clock), as }, headers });
  const signIn = async () => {
    const answer = await redeem();
    const cookies = { cairn_session: answer.cookies[0]!.value };
    const { csrfToken } = answer.json<{ csrfToken: string }>();
    return { cookies, csrfToken, headers: { ...HERE, "x-csrf-token": csrfToken } };
  };
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const tokenOf = async (person: string, scopes: ("read" | "write" | "admin")[]) =>
    (await makeToken(db, clock, "system:test", { person, name: "test", scopes, expiresInDays: 30 })).token;
  return { db, clock, call, redeem, signIn, bearer, tokenOf };
}

const typesOf = async (db: Db) => (await events(db)).map((event) => event.type);

describe("signing in", () => {
  test("POST /auth/redeem refuses an unknown, an expired and a used link, and of two at once one wins", async () => {
    const { db, clock, call } = await platform();
    const redeem = (token: string) => call("POST", "/api/auth/redeem", { payload: { token } });
    expect((await redeem("never made")).json()).toMatchObject({ status: 401, code: "identity.link_unknown" });
    const late = await makeSignInLink(db, clock);
    const right = await makeSignInLink(db, clock);
    clock.turn(15 * 60 - 1);
    const both = await Promise.all([redeem(right), redeem(right)]);
    expect(both.map((answer) => answer.statusCode).sort()).toEqual([200, 401]);
    expect(both.find((answer) => answer.statusCode === 401)!.json()).toMatchObject({ code: "identity.link_used" });
    clock.turn(1);
    expect((await redeem(late)).json()).toMatchObject({
      status: 401,
      code: "identity.link_expired",
      next: expect.stringContaining("login --link"),
    });
    expect(await typesOf(db)).toEqual([
      "identity.person_added",
      "identity.sign_in_link_made",
      "identity.sign_in_link_made",
      "identity.signed_in",
    ]);
    expect(await verify(db)).toBeUndefined();
  });

  test("POST /auth/redeem lets an address fail 20 times a minute, and refuses another site's page", async () => {
    const { clock, call, redeem } = await platform();
    const guess = () => call("POST", "/api/auth/redeem", { payload: { token: "guess" } });
    for (let n = 0; n < 20; n++) expect((await guess()).statusCode).toBe(401);
    expect((await guess()).json()).toMatchObject({ status: 429, code: "identity.too_many_attempts" });
    clock.turn(60);
    expect((await guess()).statusCode).toBe(401);
    expect((await redeem("session", { host: "cairn.test", origin: "http://evil.test" })).json()).toMatchObject({
      code: "identity.foreign_origin",
    });
    expect((await redeem("session", HERE)).statusCode).toBe(200);
  });

  test("a session's cookie is HttpOnly and SameSite=Lax, slides while used, and ends idle, old or signed out", async () => {
    const { clock, call, redeem, signIn } = await platform();
    expect((await redeem()).cookies[0]).toMatchObject({ name: "cairn_session", httpOnly: true, sameSite: "Lax", path: "/" });
    const idle = await signIn();
    const used = await signIn();
    const me = (session: { cookies: Record<string, string> }) => call("GET", "/api/auth/me", session);
    clock.turn(SESSION_IDLE_SECONDS - 1);
    expect((await me(used)).json()).toMatchObject({
      principal: { ref: "user:default/administrator", kind: "person", administrator: true },
      csrfToken: used.csrfToken,
    });
    clock.turn(1);
    expect((await me(idle)).json()).toMatchObject({ status: 401, code: "identity.session_unknown" });
    expect((await me(used)).statusCode).toBe(200);
    const out = await signIn();
    expect((await call("POST", "/api/auth/logout", { cookies: out.cookies, headers: out.headers })).statusCode).toBe(204);
    expect((await me(out)).statusCode).toBe(401);
    for (let turned = SESSION_IDLE_SECONDS; turned < SESSION_MAX_SECONDS; turned += 86_400) {
      clock.turn(86_400);
      await me(used);
    }
    expect((await me(used)).statusCode).toBe(401);
  });

  test.each<[string, Record<string, string>, string]>([
    ["a foreign Origin", { origin: "http://evil.test" }, "identity.foreign_origin"],
    ["the origin of a sandboxed page", { origin: "null" }, "identity.foreign_origin"],
    ["this host on another port", { origin: "http://cairn.test:81" }, "identity.foreign_origin"],
    ["a cross-site Sec-Fetch-Site", { "sec-fetch-site": "cross-site" }, "identity.foreign_origin"],
    [
      "a same-site Sec-Fetch-Site beside the right Origin",
      { "sec-fetch-site": "same-site", origin: HERE.origin },
      "identity.foreign_origin",
    ],
    ["no word of where it comes from", {}, "identity.foreign_origin"],
    ["a wrong token", { origin: HERE.origin, "x-csrf-token": "wrong" }, "identity.csrf_token"],
    ["no token", { origin: HERE.origin, "x-csrf-token": "" }, "identity.csrf_token"],
  ])("a change by a session is refused with %s", async (_what, headers, code) => {
    const { call, signIn } = await platform();
    const { cookies, csrfToken } = await signIn();
    const answer = await call("POST", "/api/services/orders/change", {
      cookies,
      headers: { host: HERE.host, "x-csrf-token": csrfToken, ...headers },
    });
    expect(answer.json()).toMatchObject({ status: 403, code });
  });

  test("a change by a session goes through with Origin or Sec-Fetch-Site of this page and its token; another session's token does not do", async () => {
    const { call, signIn } = await platform();
    const [one, other] = [await signIn(), await signIn()];
    const change = (headers: Record<string, string>) => call("POST", "/api/services/orders/change", { cookies: one.cookies, headers });
    expect((await change(one.headers)).statusCode).toBe(200);
    expect((await change({ host: HERE.host, "sec-fetch-site": "same-origin", "x-csrf-token": one.csrfToken })).statusCode).toBe(200);
    expect((await change(other.headers)).json()).toMatchObject({ code: "identity.csrf_token" });
  });
});

describe("tokens", () => {
  test("a request with no token, a strange, a mangled, a revoked or an expired one is refused as problem details", async () => {
    const { db, clock, call, bearer, tokenOf } = await platform();
    const none = await call("GET", "/api/auth/me");
    expect([none.statusCode, none.headers["content-type"], none.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringContaining("application/problem+json"),
      'Bearer realm="Cairn"',
    ]);
    expect((await call("GET", "/git/orders.git")).headers["www-authenticate"]).toBe('Basic realm="Cairn"');
    for (const authorization of ["Bearer cairn_strange", "Bearer ", "Digest x", "Basic !!!", `Bearer ${BOOTSTRAP}x`])
      expect((await call("GET", "/api/auth/me", { headers: { authorization } })).json()).toMatchObject({
        status: 401,
        code: expect.stringMatching(/^identity\.(token_unknown|unauthenticated)$/),
      });
    const made = await makeToken(db, clock, "system:test", {
      person: "user:default/administrator",
      name: "ci",
      scopes: ["admin"],
      expiresInDays: 1,
    });
    expect((await call("DELETE", `/api/auth/tokens/${made.info.id}`, bearer(made.token))).statusCode).toBe(204);
    expect((await call("GET", "/api/auth/me", bearer(made.token))).json()).toMatchObject({ code: "identity.token_revoked" });
    const short = await tokenOf("user:default/administrator", ["read"]);
    clock.turn(30 * 86_400);
    expect((await call("GET", "/api/auth/me", bearer(short))).json()).toMatchObject({ code: "identity.token_expired" });
  });

  test("a refusal names the rule; one of an attempt to change is recorded, one of a look is not", async () => {
    const { db, call, bearer, tokenOf } = await platform();
    const admin = bearer(BOOTSTRAP);
    const made = await call("POST", "/api/auth/tokens", {
      ...admin,
      payload: { name: "ada", scopes: ["read"], person: "user:default/ada" },
    });
    const ada = made.json<{ token: string }>().token;
    const before = (await typesOf(db)).length;
    expect((await call("POST", "/api/services/orders/change", bearer(ada))).json()).toMatchObject({
      status: 403,
      code: "identity.forbidden",
      rule: "scope-covers-action",
      next: expect.stringContaining("write"),
    });
    expect((await events(db)).slice(before)).toMatchObject([
      { type: "identity.access_refused", about: "user:default/ada", data: { action: "service.change", rule: "scope-covers-action" } },
    ]);
    expect((await call("POST", "/api/services/orders/change", bearer(await tokenOf("user:default/ada", ["write"])))).statusCode).toBe(200);
  });

  test("POST /auth/tokens refuses scopes that the caller lacks, tokens for others, strangers; and tokens that make tokens", async () => {
    const { call, bearer, tokenOf } = await platform();
    const make = (token: string, payload: object) => call("POST", "/api/auth/tokens", { ...bearer(token), payload });
    const unknown = { name: "x", scopes: ["read"], person: "user:default/nobody" };
    expect((await make(BOOTSTRAP, unknown)).json()).toMatchObject({ status: 404, code: "identity.person_unknown" });
    for (const wrong of [
      { name: "x", scopes: [] },
      { name: "\0", scopes: ["read"] },
      { name: "x", scopes: ["read"], person: "ada" },
      { name: "x", scopes: ["read"], expiresInDays: 0 },
    ])
      expect((await make(BOOTSTRAP, wrong)).statusCode).toBe(422);
    expect((await call("DELETE", "/api/auth/tokens/%00", bearer(BOOTSTRAP))).statusCode).toBe(422);
    const ada = (await make(BOOTSTRAP, { name: "x", scopes: ["write"], person: "user:default/ada" })).json<{ token: string }>().token;
    expect((await make(ada, { name: "y", scopes: ["read"] })).json()).toMatchObject({
      code: "identity.forbidden",
      rule: "tokens-do-not-multiply",
    });
    const link = (await call("POST", "/api/auth/links", { ...bearer(BOOTSTRAP), payload: { person: "user:default/ada" } })).json<{
      token: string;
    }>().token;
    expect((await call("POST", "/api/auth/links", { ...bearer(ada), payload: { person: "user:default/ada" } })).statusCode).toBe(403);
    const session = await call("POST", "/api/auth/redeem", { payload: { token: link } });
    expect(session.json()).toMatchObject({
      principal: { ref: "user:default/ada", scopes: ["read", "write"], groups: ["group:default/team-a"], administrator: false },
    });
    const asAda = {
      cookies: { cairn_session: session.cookies[0]!.value },
      headers: { ...HERE, "x-csrf-token": session.json<{ csrfToken: string }>().csrfToken },
    };
    const makeAsAda = (payload: object) => call("POST", "/api/auth/tokens", { ...asAda, payload });
    expect((await makeAsAda({ name: "y", scopes: ["admin"] })).json()).toMatchObject({ code: "identity.scope_too_wide" });
    expect((await makeAsAda({ name: "y", scopes: ["read"], person: "user:default/administrator" })).json()).toMatchObject({
      code: "identity.forbidden",
    });
    expect((await makeAsAda({ name: "y", scopes: ["read"] })).statusCode).toBe(201);
    const others = await tokenOf("user:default/administrator", ["read"]);
    const { id } = (await call("GET", "/api/auth/tokens", bearer(others))).json<{ id: string }[]>()[0]!;
    expect((await call("DELETE", `/api/auth/tokens/${id}`, asAda)).json()).toMatchObject({ status: 404, code: "identity.token_not_found" });
  });

  test("a token works as Bearer and as password of Basic, says when it was used, and is kept nowhere", async () => {
    const { db, call, redeem, bearer } = await platform();
    const { token } = (await redeem("token")).json<{ token: string }>();
    expect(token).toMatch(/^cairn_[\w-]{43}$/);
    expect((await call("GET", "/api/auth/me", bearer(token))).json()).toMatchObject({
      principal: { kind: "token", scopes: ["read", "write", "admin"] },
      csrfToken: null,
    });
    expect((await call("GET", "/git/orders.git", { headers: { authorization: `Basic ${btoa(`ada:${token}`)}` } })).statusCode).toBe(200);
    expect((await call("GET", "/api/auth/tokens", bearer(token))).json()).toMatchObject([
      { name: "cairn login", lastUsedAt: "2026-03-01T12:00:00.000Z", revokedAt: null },
    ]);
    const kept = JSON.stringify([
      await events(db),
      await db.selectFrom("identity_token").selectAll().execute(),
      await db.selectFrom("identity_sign_in_link").selectAll().execute(),
    ]);
    expect(kept).not.toContain(token);
    expect(kept).not.toContain(token.slice("cairn_".length));
  });

  test("an open route serves strangers and those whose session ended, and reading its principal then is a 401", async () => {
    const { call } = await platform();
    expect((await call("GET", "/open")).json()).toMatchObject({ code: "identity.unauthenticated" });
    expect((await call("GET", "/open", { cookies: { cairn_session: "ended" } })).json()).toMatchObject({
      code: "identity.unauthenticated",
    });
    expect((await call("GET", "/open", { headers: { authorization: `Bearer ${BOOTSTRAP}` } })).json()).toEqual({
      who: "user:default/administrator",
    });
  });
});

test("ensureAdministrator() makes one administrator, however often and by however many it is asked", async () => {
  const { db, clock } = await platform();
  await Promise.all(Array.from({ length: 5 }, () => ensureAdministrator(db, clock)));
  expect(await db.selectFrom("identity_person").select(["ref", "administrator"]).execute()).toEqual([
    { ref: "user:default/administrator", administrator: true },
  ]);
  expect(await typesOf(db)).toEqual(["identity.person_added"]);
});

test("sameSecret() compares whole secrets of any length, and tokenOfHeader() reads what clients send", () => {
  expect(sameSecret("abc", "abc")).toBe(true);
  for (const other of ["", "abd", "ab", "abcd", "ABC"]) expect(sameSecret(other, "abc")).toBe(false);
  expect(tokenOfHeader("bearer  t")).toBe("t");
  expect(tokenOfHeader(`Basic ${btoa("x:p:q")}`)).toBe("p:q");
  expect(tokenOfHeader(`Basic ${btoa("t:")}`)).toBe("t");
  expect(tokenOfHeader("Bearer")).toBeUndefined();
});

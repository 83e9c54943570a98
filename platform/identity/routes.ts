import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { transact } from "../kernel/sql.ts";
import { covers } from "./access.ts";
import { callerOf, credentialsOf } from "./access-hook.ts";
import { attempts } from "./attempts.ts";
import { refuseForeignOrigin, type IdentityParts } from "./authenticate.ts";
import { csrfTokenOf, SESSION_COOKIE } from "./credentials.ts";
import { scopeTooWide } from "./faults.ts";
import { Me, Redeemed, Scope, TokenInfo, type Principal } from "./model.ts";
import {
  endSession,
  ensurePerson,
  makeSignInLink,
  makeToken,
  redeemForSession,
  redeemForToken,
  revokeToken,
  scopesOf,
  SESSION_MAX_SECONDS,
  tokens,
  type Person,
} from "./store.ts";

/** A name that people read in lists: no control characters. */
const displayed = z
  .string()
  .min(1)
  .max(100)
  .regex(/^\P{C}*$/u, "control characters are in it");
const personRef = z
  .string()
  .max(200)
  .regex(/^user:[a-z0-9._-]+\/[a-z0-9._-]+$/, "a person's reference, such as user:default/ada");

const Redeem = z.object({
  /** The secret of a sign-in link. */
  token: z.string().min(1).max(200),
  /** What for: a session for a browser, a token for a program. */
  as: z.enum(["session", "token"]).default("session"),
  /** The token's name, shown in the list of tokens. */
  name: displayed.default("cairn login"),
});

const TokenRequest = z.object({
  name: displayed,
  scopes: z.array(Scope).min(1),
  expiresInDays: z.number().int().min(1).max(365).default(90),
  /** For whom; only administrators make tokens for others. */
  person: personRef.optional(),
});
const TokenMade = z.object({ token: z.string(), info: TokenInfo });

/** How long a token lives that was got by a link. */
const LOGIN_TOKEN_DAYS = 90;

/** Signing in and out, and tokens. */
export const identityRoutes =
  (parts: IdentityParts): FastifyPluginAsyncZod =>
  async (app) => {
    const { db, clock } = parts;
    const strangers = attempts(clock);
    const tags = ["identity"];

    app.post(
      "/auth/redeem",
      {
        config: { open: true },
        schema: {
          operationId: "redeemLink",
          tags,
          summary: "Use up a sign-in link for a session or a token",
          body: Redeem,
          response: { 200: Redeemed },
        },
      },
      async (request, reply) => {
        const { token: link, as, name } = request.body;
        strangers.refuseTooMany(request.ip);
        refuseForeignOrigin(credentialsOf(request), "where given");
        reply.header("cache-control", "no-store");
        try {
          if (as === "token") {
            const made = await redeemForToken(db, clock, link, { name, expiresInDays: LOGIN_TOKEN_DAYS });
            return {
              principal: await principalOf(made.person, "token"),
              csrfToken: null,
              expiresAt: made.info.expiresAt,
              token: made.token,
            };
          }
          const session = await redeemForSession(db, clock, link);
          setSessionCookie(request, reply, session.secret);
          return {
            principal: await principalOf(session.person, "person"),
            csrfToken: csrfTokenOf(session.secret),
            expiresAt: session.expiresAt,
            token: null,
          };
        } catch (error) {
          strangers.failed(request.ip);
          throw error;
        }
      },
    );

    app.get(
      "/auth/me",
      { schema: { operationId: "getMe", tags, summary: "Who is calling", response: { 200: Me } } },
      async (request, reply) => {
        await request.can("read");
        const { principal, csrfToken, expiresAt } = callerOf(request)!;
        reply.header("cache-control", "no-store");
        return { principal, csrfToken, expiresAt };
      },
    );

    app.post(
      "/auth/logout",
      { schema: { operationId: "logOut", tags, summary: "End this session", response: { 204: z.null() } } },
      async (request, reply) => {
        const secret = callerOf(request)?.sessionSecret;
        if (secret) await endSession(db, clock, secret);
        reply.clearCookie(SESSION_COOKIE, { path: "/" });
        return reply.code(204).send(null);
      },
    );

    app.post(
      "/auth/tokens",
      {
        schema: {
          operationId: "makeToken",
          tags,
          summary: "Make an API token; it is shown this once",
          body: TokenRequest,
          response: { 201: TokenMade },
        },
      },
      async (request, reply) => {
        const { principal } = request;
        const { person = principal.ref, ...wanted } = request.body;
        await request.can("token.make", { owner: person, name: person });
        await admit(person, principal.ref);
        for (const scope of wanted.scopes) if (!covers(principal.scopes, scope)) throw scopeTooWide(scope);
        reply.header("cache-control", "no-store");
        return reply.code(201).send(await makeToken(db, clock, principal.ref, { ...wanted, person }));
      },
    );

    app.get(
      "/auth/tokens",
      {
        schema: {
          operationId: "listTokens",
          tags,
          summary: "Your tokens; of everybody for an administrator who asks",
          querystring: z.object({ all: z.stringbool().default(false) }),
          response: { 200: z.array(TokenInfo) },
        },
      },
      async (request) => {
        await request.can(request.query.all ? "platform.administer" : "read");
        return tokens(db, request.query.all ? undefined : request.principal.ref);
      },
    );

    app.delete(
      "/auth/tokens/:id",
      {
        schema: {
          operationId: "revokeToken",
          tags,
          summary: "Revoke a token",
          params: z.object({ id: z.string().regex(/^tok_[0-9a-z]{1,40}$/, "a token's id, such as GET /api/auth/tokens lists") }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { principal } = request;
        await request.can("token.make", { owner: principal.ref, name: request.params.id });
        const anybodys = principal.administrator && covers(principal.scopes, "admin");
        await revokeToken(db, clock, principal.ref, request.params.id, anybodys ? undefined : principal.ref);
        return reply.code(204).send(null);
      },
    );

    app.post(
      "/auth/links",
      {
        schema: {
          operationId: "makeSignInLink",
          tags,
          summary: "Make a one-time sign-in link for a person",
          body: z.object({ person: personRef }),
          response: { 201: z.object({ token: z.string() }) },
        },
      },
      async (request, reply) => {
        await request.can("platform.administer", { name: request.body.person });
        await admit(request.body.person, request.principal.ref);
        reply.header("cache-control", "no-store");
        return reply
          .code(201)
          .send({ token: await makeSignInLink(db, clock, { person: request.body.person, actor: request.principal.ref }) });
      },
    );

    /** Somebody of the organisation becomes a person who can sign in. */
    const admit = async (ref: string, actor: string) => {
      const known = await parts.directory.person?.(ref);
      if (known) await transact(db, (tx) => ensurePerson(tx, clock, actor, { ref, displayName: known.displayName, administrator: false }));
    };

    const principalOf = async ({ ref, displayName, administrator }: Person, kind: Principal["kind"]): Promise<Principal> => ({
      ref,
      kind,
      displayName,
      scopes: scopesOf({ administrator }),
      groups: await parts.directory.groupsOf(ref),
      administrator,
    });
  };

function setSessionCookie(request: FastifyRequest, reply: FastifyReply, secret: string): void {
  reply.setCookie(SESSION_COOKIE, secret, {
    path: "/",
    httpOnly: true,
    sameSite: "lax",
    secure: request.protocol === "https",
    maxAge: SESSION_MAX_SECONDS,
  });
}

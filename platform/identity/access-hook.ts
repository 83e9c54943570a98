import cookie from "@fastify/cookie";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import { decide, looksOnly } from "./access.ts";
import { authenticate, type Caller, type Credentials, type IdentityParts } from "./authenticate.ts";
import { SESSION_COOKIE } from "./credentials.ts";
import { forbidden, unauthenticated } from "./faults.ts";
import type { Action, Principal, Subject } from "./model.ts";
import "./request.ts";
import { recordRefusal } from "./store.ts";

const callers = new WeakMap<FastifyRequest, Caller>();

/** Who calls, on a route that answers to nobody in particular too; undefined where nobody is signed in. */
export const callerOf = (request: FastifyRequest): Caller | undefined => callers.get(request);

/**
 * Gives every request its `principal` and its `can`, and answers 401 on routes that are not `config.open`. On an open route without a caller,
 * reading `principal` or asking `can` throws `identity.unauthenticated`. Register it before any route.
 */
export function identityAccess(parts: IdentityParts): FastifyPluginAsync {
  const plugin = async (app: FastifyInstance) => {
    if (!app.hasReplyDecorator("setCookie")) await app.register(cookie);
    app.decorateRequest("principal", {
      getter(this: FastifyRequest): Principal {
        const caller = callers.get(this);
        if (!caller) throw unauthenticated();
        return caller.principal;
      },
    } as never);
    app.decorateRequest("can", async function can(this: FastifyRequest, action: Action, subject: Subject = {}) {
      const { principal } = this;
      const decision = decide(principal, action, subject);
      if (decision.allowed) return;
      if (!looksOnly(action)) await recordRefusal(parts.db, parts.clock, principal, action, subject, decision);
      throw forbidden(principal, action, subject, decision);
    });
    app.addHook("onRequest", async (request, reply) => {
      const open = request.routeOptions.config.open === true;
      try {
        const caller = await authenticate(parts, credentialsOf(request));
        if (caller) callers.set(request, caller);
        else if (!open && !request.is404) throw unauthenticated();
      } catch (error) {
        // An open route serves strangers: a cookie or token that has ended makes its bearer one.
        if (open || request.is404) return;
        // Only git is asked for a password: a browser would show its own dialogue.
        reply.header("www-authenticate", request.url.startsWith("/git/") ? 'Basic realm="Cairn"' : 'Bearer realm="Cairn"');
        throw error;
      }
    });
  };
  // Its decorators and its hook are the whole server's, not those of a scope of its own.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true, [Symbol.for("fastify.display-name")]: "identity access" });
}

/** What of a request says who calls. */
export const credentialsOf = (request: FastifyRequest): Credentials => ({
  method: request.method,
  authorization: request.headers.authorization,
  sessionCookie: request.cookies[SESSION_COOKIE],
  csrfToken: one(request.headers["x-csrf-token"]),
  origin: request.headers.origin,
  fetchSite: one(request.headers["sec-fetch-site"]),
  host: request.headers.host,
});

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header[0] : header);

import { Fault } from "../kernel/faults.ts";
import type { Decision } from "./access.ts";
import type { Action, Principal, Subject } from "./model.ts";

const SIGN_IN = "Sign in with a link from cairn login --link, or send a token as Authorization: Bearer.";

export const unauthenticated = () => new Fault("unauthenticated", "identity.unauthenticated", "Nobody is signed in", SIGN_IN);

/** For a session that ended and for a cookie that was never one: a stranger learns nothing from the difference. */
export const sessionUnknown = () => new Fault("unauthenticated", "identity.session_unknown", "This session has ended", SIGN_IN);

export const tokenUnknown = () =>
  new Fault(
    "unauthenticated",
    "identity.token_unknown",
    "This token is not known here",
    "Check that it is whole and was made by this platform, or make a new one: cairn login.",
  );

export const tokenExpired = (at: Date) =>
  new Fault("unauthenticated", "identity.token_expired", `This token expired at ${at.toISOString()}`, "Make a new one: cairn login.");

export const tokenRevoked = (at: Date) =>
  new Fault("unauthenticated", "identity.token_revoked", `This token was revoked at ${at.toISOString()}`, "Make a new one: cairn login.");

export const linkUnknown = () =>
  new Fault("unauthenticated", "identity.link_unknown", "This sign-in link is not known here", "Make a new one: cairn login --link.");

export const linkExpired = (at: Date) =>
  new Fault(
    "unauthenticated",
    "identity.link_expired",
    `This sign-in link expired at ${at.toISOString()}`,
    "Make a new one: cairn login --link.",
  );

export const linkUsed = (at: Date) =>
  new Fault(
    "unauthenticated",
    "identity.link_used",
    `This sign-in link was used at ${at.toISOString()}`,
    "Each link works once: make a new one with cairn login --link. If it was not you who used it, sign out and revoke the tokens you don't know.",
  );

export const foreignOrigin = (origin: string) =>
  new Fault(
    "forbidden",
    "identity.foreign_origin",
    `A page of ${origin} may not change anything with your session`,
    "Do it in Cairn's own portal, or with a token.",
  );

export const csrfTokenWrong = () =>
  new Fault(
    "forbidden",
    "identity.csrf_token",
    "The x-csrf-token header is missing or not this session's",
    "Take csrfToken from GET /api/auth/me and send it as x-csrf-token.",
  );

export const tooManyAttempts = (seconds: number) =>
  new Fault("rate_limited", "identity.too_many_attempts", "Too many sign-in attempts from your address", `Try again in ${seconds} s.`, {
    retryAfterSeconds: seconds,
  });

export const forbidden = (principal: Principal, action: Action, subject: Subject, decision: Decision) =>
  new Fault(
    "forbidden",
    "identity.forbidden",
    `${principal.ref} may not do ${action}${subject.name ? ` to ${subject.name}` : ""}: ${decision.because}`,
    decision.next,
    {
      rule: decision.rule,
      action,
    },
  );

export const scopeTooWide = (scope: string) =>
  new Fault(
    "forbidden",
    "identity.scope_too_wide",
    `A token with scope ${scope} is more than you hold yourself`,
    "Ask for scopes that you have; GET /api/auth/me lists them.",
  );

export const tokenNotFound = (id: string) =>
  new Fault("not_found", "identity.token_not_found", `No token ${id} of yours`, "GET /api/auth/tokens lists yours.");

export const personUnknown = (ref: string) =>
  new Fault(
    "not_found",
    "identity.person_unknown",
    `${ref} is no person that the platform knows`,
    "Load the organisation first, or check the name.",
  );

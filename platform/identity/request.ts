import type { Action, Principal, Subject } from "./model.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who is calling. Routes under the access hook always have one; others answer 401 before they begin. */
    principal: Principal;
    /** Throws `identity.forbidden`, naming the rule, unless the caller may do it. The one decision point of every surface. */
    can(action: Action, subject?: Subject): Promise<void>;
  }
  interface FastifyContextConfig {
    /** A route that answers without a principal: health, sign-in, the portal's files. */
    open?: true;
  }
}

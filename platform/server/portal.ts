import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyPluginAsync, FastifyReply } from "fastify";

const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** Answers with the portal's page; its own router looks at the address. */
export async function portalPage(reply: FastifyReply, folder: string): Promise<FastifyReply> {
  return reply
    .type("text/html; charset=utf-8")
    .header("cache-control", "no-cache")
    .header("content-security-policy", POLICY)
    .send(await readFile(join(folder, "index.html")));
}

/** The portal's built files, and its page at every address that is not of the API. */
export const portalFiles =
  ({ folder }: { folder: string }): FastifyPluginAsync =>
  async (app) => {
    app.addHook("onRoute", (route) => {
      route.config = { ...route.config, open: true };
    });
    await app.register(fastifyStatic, {
      root: join(folder, "assets"),
      prefix: "/assets/",
      immutable: true,
      maxAge: "365d",
      decorateReply: false,
      preCompressed: true,
    });
    for (const url of [
      "/",
      "/login",
      "/create",
      "/create/*",
      "/changes",
      "/changes/*",
      "/releases",
      "/releases/*",
      "/runs/*",
      "/plans/*",
      "/ci-runs/*",
      "/decisions/*",
      "/approvals",
      "/incidents",
      "/incidents/*",
      "/dora",
      "/scorecards",
      "/inbox",
      "/webhooks",
      "/break-glass",
      "/break-glass/*",
      "/teams",
      "/policies",
      "/audit",
      "/services/:name/*",
    ])
      app.get(url, { config: { open: true }, schema: { hide: true } }, (_request, reply) => portalPage(reply, folder));
  };

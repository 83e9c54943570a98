import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import { tokenOfHeader } from "../../identity/credentials.ts";
import type { Db } from "../../kernel/sql.ts";
import { answerFaults } from "../../server/problems.ts";
import { testClock, type TestClock } from "../../testing/clock.ts";
import { aPerson } from "../../testing/organisation.ts";
import { forgeRoutes } from "../routes.ts";
import { localForge, type LocalForge, type MergeGround } from "./forge.ts";
import { smartHttp } from "./smart-http.ts";

/** ada writes; grace and linus are in the team that owns; eve is not. The name is the token. */
export const people = {
  ada: aPerson("ada"),
  grace: aPerson("grace"),
  linus: aPerson("linus"),
  eve: aPerson("eve", { groups: [] }),
};

export interface Harness {
  forge: LocalForge;
  app: FastifyInstance;
  clock: TestClock;
  folder: string;
  url: string;
  ground: MergeGround & { tier: "tier-1" | "tier-2" | "tier-3" };
  urlFor(repository: string, who?: string): string;
  stop(): Promise<void>;
}

/** A forge on a folder of its own, behind HTTP on a free port. */
export async function startForge(db: Db, options: { maxPushBytes?: number; folder?: string } = {}): Promise<Harness> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "cairn-forge-")));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const clock = testClock();
  const forge = await localForge({ db, clock, folder, publicUrl: url, maxPushBytes: options.maxPushBytes });
  const ground: Harness["ground"] = {
    tier: "tier-3",
    tierOf: async () => ground.tier,
    needsCodeOwner: (tier) => tier !== "tier-3",
    directory: { groupsOf: async (ref) => Object.values(people).find((one) => one.ref === ref)?.groups ?? [] },
  };
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  answerFaults(app);
  const authenticate = ({ headers }: { headers: { authorization?: string } }) =>
    people[tokenOfHeader(headers.authorization ?? "") as keyof typeof people];
  app.decorateRequest("can", async () => {});
  app.addHook("onRequest", async (request) => {
    const principal = authenticate(request);
    if (principal) request.principal = principal;
  });
  await app.register(forgeRoutes({ forge, repositoriesOf: async () => ["orders"], ...ground }), { prefix: "/api" });
  await app.register(smartHttp({ forge, authenticate }));
  await app.listen({ host: "127.0.0.1", port });
  return {
    forge,
    app,
    clock,
    folder,
    url,
    ground,
    urlFor: (repository, who = "ada") => `http://x:${who}@127.0.0.1:${port}/git/${repository}.git`,
    async stop() {
      await app.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { spawn, type ChildProcessByStdio } from "node:child_process";
import { Readable, type Writable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import "../../identity/request.ts";
import type { Principal } from "../../identity/model.ts";
import { httpStatus, isFault, messageOf } from "../../kernel/faults.ts";
import { killGroup } from "../../kernel/processes.ts";
import { dumbClient, gitPathMissing, signInForGit } from "../faults.ts";
import type { LocalForge } from "./forge.ts";
import { pushListener } from "./refused-push.ts";

export interface SmartHttpParts {
  forge: LocalForge;
  /** Who calls, by the token that git sends as password; undefined for nobody. */
  authenticate(request: FastifyRequest): Promise<Principal | undefined> | Principal | undefined;
}

type Service = "git-upload-pack" | "git-receive-pack";
const SERVICES: readonly string[] = ["git-upload-pack", "git-receive-pack"] satisfies Service[];

/** Longest that one fetch or push may take. */
const TIME_LIMIT_SECONDS = 1800;
/** What a fetch says it wants and has. */
const MAX_FETCH_REQUEST_BYTES = 32 * 1024 * 1024;

/**
 * /git/NAME.git for git clients: smart HTTP, protocols 0 to 2. Source: git's "gitprotocol-http". Bytes flow through in both directions; nothing is held in memory.
 * A push has been recorded before git is told that it went well.
 */
export const smartHttp =
  ({ forge, authenticate }: SmartHttpParts): FastifyPluginAsync =>
  async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      SERVICES.map((service) => `application/x-${service}-request`),
      (_request, body, done) => done(null, body),
    );
    // git shows people a plain text answer, and nothing else.
    app.setErrorHandler((error, request, reply) => {
      const status = isFault(error) ? httpStatus[error.kind] : ((error as { statusCode?: number }).statusCode ?? 500);
      if (status >= 500) request.log.error({ err: error }, "git request failed");
      if (status === 401) reply.header("www-authenticate", 'Basic realm="Cairn", charset="UTF-8"');
      const text = isFault(error)
        ? `${error.message}\n${error.next}\n`
        : status < 500
          ? `${messageOf(error)}\n`
          : "Something went wrong inside\n";
      return reply.code(status).type("text/plain; charset=utf-8").send(text);
    });

    const open = { config: { open: true as const }, schema: { hide: true }, exposeHeadRoute: false };

    app.get<Asked & { Querystring: { service?: string } }>("/git/:repository/info/refs", open, async (request, reply) => {
      const service = request.query.service;
      if (service === undefined || !isService(service)) throw dumbClient();
      const { repository } = await admit(request, service);
      const version2 = service === "git-upload-pack" && protocolOf(request)?.includes("version=2");
      const greeting = version2 ? "" : `${packet(`# service=${service}\n`)}0000`;
      const child = start(request, service, repository, ["--http-backend-info-refs"]);
      child.stdin.end();
      return answer(reply, `application/x-${service}-advertisement`, output(child, greeting));
    });

    app.post<Asked>("/git/:repository/git-upload-pack", open, async (request, reply) => {
      const { repository } = await admit(request, "git-upload-pack");
      const child = start(request, "git-upload-pack", repository, []);
      feed(request, child, MAX_FETCH_REQUEST_BYTES);
      return answer(reply, "application/x-git-upload-pack-result", output(child));
    });

    app.post<Asked>("/git/:repository/git-receive-pack", open, async (request, reply) => {
      const { repository, principal } = await admit(request, "git-receive-pack");
      const changes = await forge.changes({ repository, state: "open", limit: 500 });
      const before = await forge.branches(repository);
      const child = start(request, "git-receive-pack", repository, [], {
        CAIRN_REPOSITORY: repository,
        CAIRN_URL: forge.publicUrl,
        CAIRN_OPEN_CHANGES: changes.map(({ number, branch }) => `${number} ${branch}`).join("\n"),
      });
      // git itself refuses a pack over the limit, in words; this one is for what is not a pack.
      feed(request, child, forge.maxPushBytes + 16 * 1024 * 1024);
      const listener = pushListener();
      const end = async () => {
        await forge.afterPush(repository, principal.ref, before);
        const refused = listener.refused();
        if (refused) await forge.notePushRefused(repository, principal.ref, refused);
      };
      return answer(reply, "application/x-git-receive-pack-result", output(child, "", end, listener.hear));
    });

    /** Which repository, and who asks; refuses who may not. */
    async function admit(request: FastifyRequest<Asked>, service: Service): Promise<{ repository: string; principal: Principal }> {
      const principal = await authenticate(request);
      if (!principal) throw signInForGit(forge.publicUrl);
      const [, name] = /^(.+)\.git$/.exec(request.params.repository) ?? [];
      if (name === undefined) throw gitPathMissing(request.url);
      const { owner } = await forge.repository(name);
      await request.can(service === "git-receive-pack" ? "repository.push" : "repository.read", { name, owner });
      return { repository: name, principal };
    }

    function start(
      request: FastifyRequest,
      service: Service,
      repository: string,
      args: readonly string[],
      env: NodeJS.ProcessEnv = {},
    ): GitProcess {
      const protocol = protocolOf(request);
      const child = spawn("git", [service.slice("git-".length), "--stateless-rpc", ...args, forge.git.pathOf(repository)], {
        env: { ...forge.git.env, ...env, ...(protocol === undefined ? {} : { GIT_PROTOCOL: protocol }) },
        detached: true,
        stdio: ["pipe", "pipe", "pipe"],
      });
      child.on("error", (error) => request.log.error({ err: error }, "can't start git"));
      child.stderr.on("data", (chunk: Buffer) => request.log.debug({ repository, git: chunk.toString().slice(0, 2000) }, "git said"));
      const timer = setTimeout(() => killGroup(child.pid, "SIGTERM"), TIME_LIMIT_SECONDS * 1000);
      child.once("close", () => clearTimeout(timer));
      return child;
    }
  };

type GitProcess = ChildProcessByStdio<Writable, Readable, Readable>;
interface Asked {
  Params: { repository: string };
}

const isService = (name: string): name is Service => SERVICES.includes(name);

function protocolOf(request: FastifyRequest): string | undefined {
  const said = request.headers["git-protocol"];
  return typeof said === "string" && /^[a-z0-9=:.-]{1,100}$/.test(said) ? said : undefined;
}

const answer = (reply: FastifyReply, type: string, body: Readable) =>
  reply.type(type).header("cache-control", "no-cache, max-age=0, must-revalidate").send(body);

/** What git says, then `end`, then the end. When the client goes away, git is ended, and `end` happens all the same: it may have done its work. */
const output = (
  child: GitProcess,
  greeting = "",
  end: () => Promise<void> = async () => {},
  hear: (chunk: Buffer) => void = () => {},
): Readable =>
  Readable.from(
    (async function* () {
      const closed = new Promise<void>((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
      let whole = false;
      try {
        if (greeting !== "") yield Buffer.from(greeting);
        for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
          hear(chunk);
          yield chunk;
        }
        whole = true;
      } finally {
        if (!whole) killGroup(child.pid, "SIGTERM");
        await closed;
        await end();
      }
    })(),
    { objectMode: false },
  );

/** Passes a request's body on to git. Where git has heard enough or the limit is reached, the rest is read and dropped, so that the client gets to read the answer. */
function feed(request: FastifyRequest, child: GitProcess, limitBytes: number): void {
  const source = request.body as Readable;
  const body = request.headers["content-encoding"] === "gzip" ? source.pipe(createGunzip()) : source;
  let bytes = 0;
  let dropped = false;
  const drop = () => {
    if (dropped) return;
    dropped = true;
    source.unpipe();
    body.unpipe(child.stdin);
    child.stdin.destroy();
    source.resume();
  };
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limitBytes) drop();
  });
  body.on("error", drop);
  source.on("error", drop);
  source.on("close", () => {
    if (!source.readableEnded) drop();
  });
  child.stdin.on("error", drop);
  child.once("close", drop);
  body.pipe(child.stdin);
}

const packet = (text: string) => `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, "0")}${text}`;

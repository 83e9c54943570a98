import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import "../identity/request.ts";
import { isOwner } from "./code-owners.ts";
import { ChangeRequest } from "./contract.ts";
import { fileMissing } from "./faults.ts";
import type { LocalForge, MergeGround } from "./local/forge.ts";
import { ChangeReview, Diff, Repository, RepositoryFile } from "./model.ts";

const InRepository = z.object({ name: z.string() });
const OneChange = z.object({ repository: z.string(), number: z.coerce.number().int().min(1).max(2_147_483_647) });
const Revision = z.string().min(1).max(250).default("main").describe("a branch, or a commit by its 40 hex digits");
/** The commit that the caller looked at: a change that moved since is refused, so that nobody approves or merges what they have not seen. */
const SeenHead = z.strictObject({ head: z.string().regex(/^[0-9a-f]{40}$/, "the 40 hex digits of the head that you looked at") });
const SeenResult = SeenHead.extend({
  result: z.string().optional().describe("The tree that merging it gives, as you saw it; left out, whatever it is by now"),
});
const NewChange = z.strictObject({
  repository: z.string(),
  branch: z.string().min(1).max(250),
  title: z.string().trim().min(1).max(200),
  description: z.string().max(65_536).default(""),
});
const Contents = z.object({ path: z.string(), commit: z.string(), text: z.string() });

/** Repositories and change requests. */
export const forgeRoutes =
  ({
    forge,
    repositoriesOf,
    ...ground
  }: { forge: LocalForge; repositoriesOf: (team: string) => Promise<string[]> } & MergeGround): FastifyPluginAsyncZod =>
  async (app) => {
    const about = async (name: string) => {
      const { owner } = await forge.repository(name);
      return { name, owner };
    };

    app.get(
      "/repositories",
      {
        schema: {
          operationId: "listRepositories",
          tags: ["forge"],
          summary: "Repositories by name",
          response: { 200: z.object({ repositories: z.array(Repository) }) },
        },
      },
      async (request) => {
        await request.can("repository.read");
        return { repositories: await forge.repositories() };
      },
    );

    app.get(
      "/repositories/:name",
      {
        schema: {
          operationId: "getRepository",
          tags: ["forge"],
          summary: "A repository and the head of its default branch",
          params: InRepository,
          response: { 200: Repository },
        },
      },
      async (request) => {
        await request.can("repository.read", { name: request.params.name });
        return forge.repository(request.params.name);
      },
    );

    app.get(
      "/repositories/:name/files",
      {
        schema: {
          operationId: "listRepositoryFiles",
          tags: ["forge"],
          summary: "Every file of a branch or commit",
          params: InRepository,
          querystring: z.object({ revision: Revision }),
          response: { 200: z.object({ files: z.array(RepositoryFile) }) },
        },
      },
      async (request) => {
        const { name } = request.params;
        await request.can("repository.read", await about(name));
        return { files: await forge.listFiles(name, request.query.revision) };
      },
    );

    app.get(
      "/repositories/:name/file",
      {
        schema: {
          operationId: "readRepositoryFile",
          tags: ["forge"],
          summary: "The text of a file at a branch or commit",
          params: InRepository,
          querystring: z.object({ path: z.string().min(1).max(4096), revision: Revision }),
          response: { 200: Contents },
        },
      },
      async (request) => {
        const { name } = request.params;
        const { path, revision } = request.query;
        await request.can("repository.read", await about(name));
        const commit = await forge.resolve(name, revision);
        const text = await forge.readFile(name, commit, path);
        if (text === undefined) throw fileMissing(name, revision, path);
        return { path, commit, text };
      },
    );

    app.get(
      "/changes",
      {
        schema: {
          operationId: "listChanges",
          tags: ["forge"],
          summary: "Change requests, newest first",
          querystring: z.object({
            repository: z.string().optional(),
            team: z.string().max(200).optional(),
            state: z.enum(["open", "merged", "closed"]).optional(),
            branch: z.string().optional(),
            before: z
              .string()
              .regex(/^[^/]{1,100}\/\d{1,9}$/, "REPOSITORY/NUMBER")
              .optional()
              .describe("A change request: only older ones"),
            limit: z.coerce.number().int().min(1).max(500).default(100),
          }),
          response: { 200: z.object({ changes: z.array(ChangeRequest) }) },
        },
      },
      async (request) => {
        await request.can("repository.read");
        const { repository, team, ...filter } = request.query;
        const ofTeam = team === undefined ? undefined : await repositoriesOf(team);
        const of = repository === undefined ? ofTeam : [repository].filter((name) => ofTeam?.includes(name) ?? true);
        return { changes: await forge.changes({ ...filter, ...(of !== undefined && { repository: of }) }) };
      },
    );

    app.post(
      "/changes",
      {
        schema: {
          operationId: "openChange",
          tags: ["forge"],
          summary: "Open a change request for a pushed branch; the one already open for it is given back",
          body: NewChange,
          response: { 201: ChangeRequest },
        },
      },
      async (request, reply) => {
        await request.can("change.open", await about(request.body.repository));
        return reply.code(201).send(await forge.openChange({ ...request.body, author: request.principal.ref }));
      },
    );

    app.get(
      "/changes/:repository/:number",
      {
        schema: {
          operationId: "getChange",
          tags: ["forge"],
          summary: "A change request, who answers for it, and whether you may merge it",
          params: OneChange,
          response: { 200: ChangeReview },
        },
      },
      async (request) => {
        const { repository, number } = request.params;
        await request.can("repository.read", await about(repository));
        return forge.review(repository, number, request.principal.ref, ground);
      },
    );

    app.get(
      "/changes/:repository/:number/diff",
      {
        schema: {
          operationId: "getChangeDiff",
          tags: ["forge"],
          summary: "What a change request changes, file by file",
          params: OneChange,
          response: { 200: Diff },
        },
      },
      async (request) => {
        const { repository, number } = request.params;
        await request.can("repository.read", await about(repository));
        return forge.diff(repository, number);
      },
    );

    app.post(
      "/changes/:repository/:number/approve",
      {
        schema: {
          operationId: "approveChange",
          tags: ["forge"],
          summary: "Approve the head that you looked at, and what merging it gives",
          params: OneChange,
          body: SeenResult,
          response: { 200: ChangeReview },
        },
      },
      async (request) => {
        const { repository, number } = request.params;
        const { head, result } = request.body;
        const seen = await forge.review(repository, number, request.principal.ref, ground);
        const codeOwner = seen.codeOwners.some(({ owners }) => owners.some((owner) => isOwner(owner, request.principal)));
        await request.can("change.approve", { ...(await about(repository)), authors: [seen.author, ...seen.pushedBy], codeOwner });
        await forge.approve({ repository, number, head, result, by: request.principal });
        return forge.review(repository, number, request.principal.ref, ground);
      },
    );

    app.post(
      "/changes/:repository/:number/merge",
      {
        schema: {
          operationId: "mergeChange",
          tags: ["forge"],
          summary: "Merge the head that you looked at into the default branch, as one commit",
          params: OneChange,
          body: SeenHead,
          response: { 200: ChangeRequest },
        },
      },
      async (request) => {
        const { repository, number } = request.params;
        await request.can("change.merge", await about(repository));
        return forge.merge({ repository, number, head: request.body.head, merger: request.principal, ...ground });
      },
    );

    app.post(
      "/changes/:repository/:number/close",
      {
        schema: {
          operationId: "closeChange",
          tags: ["forge"],
          summary: "Close a change request without merging it",
          params: OneChange,
          response: { 200: ChangeRequest },
        },
      },
      async (request) => {
        const { repository, number } = request.params;
        await request.can("change.open", await about(repository));
        return forge.close({ repository, number, by: request.principal.ref });
      },
    );
  };

import { parseDocuments } from "../catalog/descriptor.ts";
import type { Tier } from "../catalog/model.ts";
import { claimName, ingest, releaseName, requireOwner } from "../catalog/store.ts";
import type { Author } from "../forge/contract.ts";
import type { Digest } from "../kernel/digest.ts";
import type { TreeFile } from "../kernel/file-tree.ts";
import { transact } from "../kernel/sql.ts";
import { workflow } from "../orchestrator/contract.ts";
import type { Plan } from "../plans/model.ts";
import { find } from "../plans/store.ts";
import type { Parts } from "./parts.ts";

/** What a create-service plan carries: all that its workflow writes. */
export interface ServicePayload {
  service: string;
  /** Name of the owner group. */
  owner: string;
  tier: Tier;
  description: string;
  goldenPath: { name: string; version: string; digest: string };
  answers: Record<string, string | boolean>;
  /** Of the first commit, and of the first change request: whole trees. */
  firstCommit: TreeFile[];
  files: TreeFile[];
  /** git's ids of the two trees. */
  firstTree: string;
  tree: string;
  branch: string;
}

export interface Created {
  service: string;
  repository: string;
  cloneUrl: string;
  change: number;
}

/** Makes what a plan shows: the name, the repository with its first commit, the first change request. It writes the plan's files and renders nothing. */
export const createService = workflow(
  "create service",
  () => ["claim the name", "create the repository", "take it into the catalog", "open the first change request"],
  async (run, { plan, service }: { plan: Digest; service: string }, parts: Parts): Promise<Created> => {
    const { db, clock, forge } = parts;
    const author = authorOf(run.startedBy);

    await run.transaction(
      "claim the name",
      async (tx) => {
        const { owner, tier, description } = payloadOf((await find(tx, plan)).plan);
        await claimName(tx, clock, run.startedBy, { name: service, owner, repository: service, plan, description, tier });
        await requireOwner(tx, service);
        return null;
      },
      { rollback: () => transact(db, (tx) => releaseName(tx, clock, run.startedBy, { name: service, plan })) },
    );

    const { cloneUrl, commit } = await run.step(
      "create the repository",
      async () => {
        const { plan: stored, createdAt } = await find(db, plan);
        const { owner, firstCommit } = payloadOf(stored);
        return forge.createRepository({
          name: service,
          owner: `group:default/${owner}`,
          files: firstCommit,
          message: `Begin ${service}`,
          author,
          at: createdAt,
        });
      },
      // Only what was made of this plan: where it failed, the name may be somebody else's.
      { rollback: async () => forge.removeRepository(service, { firstTree: payloadOf((await find(db, plan)).plan).firstTree }) },
    );

    // Before anybody can merge: what a merge says must not be overwritten by the first commit.
    await run.transaction("take it into the catalog", async (tx) => {
      const text = payloadOf((await find(tx, plan)).plan).firstCommit.find((file) => file.path === "catalog-info.yaml")?.content ?? "";
      await ingest(tx, clock, run.startedBy, { repository: service, commit, documents: parseDocuments(text).documents });
      return null;
    });

    const change = await run.step("open the first change request", async () => {
      const { plan: stored, createdAt } = await find(db, plan);
      const { branch, files, goldenPath } = payloadOf(stored);
      const title = `Add ${service} from the golden path ${goldenPath.name} ${goldenPath.version}`;
      await forge.createBranch({ repository: service, branch, files, message: title, author, at: createdAt });
      const description = `Everything that the plan showed:\n${plan}\n\nMerging it starts delivery.`;
      const { number } = await forge.openChange({ repository: service, branch, title, description, author: run.startedBy });
      return number;
    });
    return { service, repository: service, cloneUrl, change };
  },
);

export const payloadOf = (plan: Plan): ServicePayload => plan.payload as unknown as ServicePayload;

/** `user:default/ada` as git names an author. */
export const authorOf = (ref: string): Author => ({ ref, name: ref.replace(/^.*\//, "") });

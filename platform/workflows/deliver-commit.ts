import { ingest, note, requireOwner, serviceRef } from "../catalog/store.ts";
import { transact } from "../kernel/sql.ts";
import { workflow } from "../orchestrator/contract.ts";
import { find as findPlan } from "../plans/store.ts";
import { claim } from "../plans/store.ts";
import { beginRelease, find as findRelease, underWay } from "../releases/store.ts";
import { factsAt } from "./check-change.ts";
import { buildFailed, descriptorUnusable, releaseEnded, releaseRefused } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { planOneRelease, type Delivery, type ReleasePlan } from "./release-plan.ts";
import { rollOut } from "./roll-out.ts";

export interface DeliverInput extends Delivery {
  /** In the order of promotion. */
  environments: string[];
}

/** From a merge to production: build and attest once, then for each environment plan, judge, make the infrastructure, roll out. The first that does not go well ends it. */
export const deliverCommit = workflow(
  "deliver commit",
  ({ environments }: DeliverInput) => [
    "read the repository",
    "build and attest",
    ...environments.flatMap((environment) => [
      `plan ${environment}`,
      `infrastructure for ${environment}`,
      `begin ${environment}`,
      `roll out to ${environment}`,
      `note ${environment}`,
    ]),
  ],
  async (
    run,
    { environments, ...delivery }: DeliverInput,
    parts: Parts,
  ): Promise<{ service: string; artifact: string; promoted: string[] }> => {
    const { db, clock, forge, ci, infra } = parts;
    const { repository, commit } = delivery;
    const actor = run.startedBy;

    const service = await run.transaction("read the repository", async (tx) => {
      const facts = await factsAt(parts, repository, commit);
      if (facts.problems.length > 0 || facts.name === null) throw descriptorUnusable(facts.problems);
      // An older merge that comes late must not undo what a newer one says.
      if ((await forge.head(repository)) === commit) await ingest(tx, clock, actor, { repository, commit, documents: facts.documents });
      await requireOwner(tx, facts.name);
      return facts.name;
    });

    const artifact = await run.step(
      "build and attest",
      async (step) => {
        const id = `ci-${repository}-${commit.slice(0, 12)}-merge`;
        await step.tell(`/ci-runs/${id}`);
        const ended = await ci.run({ id, repository, commit, purpose: "merge" }, step.signal);
        if (ended.state !== "passed" || !ended.artifact) throw buildFailed(ended.because ?? "no artifact was made", id);
        return ended.artifact.digest;
      },
      { timeoutSeconds: 3600 },
    );

    const promoted: string[] = [];
    for (const environment of environments) {
      const release = `rel-${service}-${environment}-${commit.slice(0, 12)}`;
      const planned = await run.step(`plan ${environment}`, () => planOneRelease(parts, actor, release, delivery, artifact, environment));
      if (planned.denied.length > 0) throw releaseRefused(environment, planned.denied, release);

      await run.step(`infrastructure for ${environment}`, async (step) => {
        const { payload } = (await findPlan(db, planned.plan)).plan as unknown as ReleasePlan;
        const applied = await infra.apply(payload.infra, actor);
        await step.tell(applied.map(({ address, result }) => `${address} ${result}`).join(", "));
        return null;
      });

      await run.step(
        `begin ${environment}`,
        async (step) => {
          for (;;) {
            const other = await underWay(db, service, environment);
            if (!other || other.id === release) break;
            await step.tell(`waits for release ${other.id}`);
            await new Promise((wake) => setTimeout(wake, 500));
            step.signal.throwIfAborted();
          }
          const { basis, payload } = (await findPlan(db, planned.plan)).plan as unknown as ReleasePlan;
          await claim(db, clock, actor, planned.plan, { basisNow: basis, run: run.id, begin: async () => {} });
          await transact(db, (tx) => beginRelease(tx, clock, actor, release, { decision: planned.decision, rules: payload.rules }));
          return null;
        },
        { timeoutSeconds: 3600 },
      );

      const ended = await run.child(`roll out to ${environment}`, rollOut, { release });
      if (ended.kind !== "promoted") throw releaseEnded(environment, ended.because, release);
      promoted.push(environment);

      await run.step(`note ${environment}`, async () => {
        const { payload } = (await findPlan(db, planned.plan)).plan as unknown as ReleasePlan;
        await infra.applyDeletes(payload.infra, actor);
        const { revision, artifactDigest, endedAt } = await findRelease(db, release);
        await transact(db, (tx) =>
          note(tx, clock, actor, serviceRef(service), {
            [`runs.${environment}`]: { release, revision, artifactDigest, commit, since: (endedAt ?? clock.now()).toISOString() },
          }),
        );
        return null;
      });
    }
    return { service, artifact, promoted };
  },
);

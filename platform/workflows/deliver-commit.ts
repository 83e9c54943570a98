import { ingest, note, requireOwner, serviceRef } from "../catalog/store.ts";
import { isFault } from "../kernel/faults.ts";
import { transact } from "../kernel/sql.ts";
import { workflow, type Step } from "../orchestrator/contract.ts";
import { find as findPlan } from "../plans/store.ts";
import { claim } from "../plans/store.ts";
import { beginRelease, endRelease, find as findRelease, underWay } from "../releases/store.ts";
import { factsAt } from "./check-change.ts";
import { buildFailed, descriptorUnusable, releaseEnded, releaseRefused } from "./faults.ts";
import type { Parts } from "./parts.ts";
import { overtakenBy, planOneRelease, servesNow, type Delivery, type PlannedRelease, type ReleasePlan } from "./release-plan.ts";
import { rollOut } from "./roll-out.ts";

export interface DeliverInput extends Delivery {
  /** In the order of promotion. */
  environments: string[];
}

export interface Delivered {
  service: string;
  artifact: string;
  promoted: string[];
  /** The commit that was merged later and arrived earlier: this one went no further. */
  overtakenBy?: string;
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
  async (run, { environments, ...delivery }: DeliverInput, parts: Parts): Promise<Delivered> => {
    const { db, clock, forge, ci, infra } = parts;
    const { repository, commit } = delivery;
    const actor = run.startedBy;

    const service = await run.transaction("read the repository", async (tx) => {
      const facts = await factsAt(parts, repository, commit);
      if (facts.problems.length > 0 || facts.name === null) throw descriptorUnusable(facts.problems);
      // An older merge that comes late must not undo what a newer one says.
      if ((await forge.head(repository)) === commit) await ingest(tx, clock, actor, { repository, commit, documents: facts.documents });
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
      let planned: PlannedRelease | { newer: string };
      for (let attempt = 1; ; attempt++) {
        const release = `rel-${service}-${environment}-${commit.slice(0, 12)}${attempt === 1 ? "" : `-${attempt}`}`;
        planned = await run.step(
          `plan ${environment}`,
          async (step) => {
            await turn(step, environment);
            const newer = await overtakenBy(db, { ...delivery, service, environment });
            if (newer !== undefined) return { newer };
            return planOneRelease(parts, actor, release, delivery, artifact, environment);
          },
          { timeoutSeconds: 3600 },
        );
        if ("newer" in planned) return { service, artifact, promoted, overtakenBy: planned.newer };
        if (planned.denied.length > 0) throw releaseRefused(environment, planned.denied, release);

        const { plan, decision } = planned;
        await run.step(`infrastructure for ${environment}`, async (step) => {
          const { payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
          // The rule owner-exists refused already who had no owner when it was planned; nothing is made for one who lost it since.
          await requireOwner(db, service);
          const applied = await infra.apply(payload.infra, actor);
          await step.tell(applied.map(({ address, result }) => `${address} ${result}`).join(", "));
          return null;
        });

        const begun = await run.step(
          `begin ${environment}`,
          async (step) => {
            await turn(step, environment, release);
            const { basis, payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
            try {
              const basisNow = { ...basis, serves: await servesNow(parts, payload.target) };
              await claim(db, clock, actor, plan, { basisNow, run: run.id, begin: async () => {} });
            } catch (error) {
              if (!isFault(error) || error.code !== "plans.stale") throw error;
              await transact(db, (tx) => endRelease(tx, clock, actor, release, { state: "superseded", because: error.message }));
              return false;
            }
            await transact(db, (tx) => beginRelease(tx, clock, actor, release, { decision, rules: payload.rules }));
            return true;
          },
          { timeoutSeconds: 3600 },
        );
        // Another release came in between, so that something else serves now: what goes on is planned on that.
        if (begun) break;
      }
      const { release, plan } = planned;

      const ended = await run.child(`roll out to ${environment}`, rollOut, { release });
      if (ended.kind !== "promoted") throw releaseEnded(environment, ended.because, release);
      promoted.push(environment);

      await run.step(`note ${environment}`, async () => {
        const { payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
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

    /** Waits until no other release of the service is under way there: what a plan rests on would be gone at its end. */
    async function turn(step: Step, environment: string, own?: string): Promise<void> {
      for (;;) {
        const other = await underWay(db, service, environment);
        if (!other || other.id === own) return;
        await step.tell(`waits for release ${other.id}`);
        await new Promise((wake) => setTimeout(wake, 500));
        step.signal.throwIfAborted();
      }
    }
  },
);

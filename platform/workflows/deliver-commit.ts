import { note, requireOwner, serviceRef } from "../catalog/store.ts";
import { reopenedBecause } from "../evidence/citations.ts";
import type { Digest } from "../kernel/digest.ts";
import { isFault } from "../kernel/faults.ts";
import { transact, type Tx } from "../kernel/sql.ts";
import { workflow, type Step } from "../orchestrator/contract.ts";
import { find as findPlan } from "../plans/store.ts";
import { claim } from "../plans/store.ts";
import { beginRelease, currentRelease, endRelease, find as findRelease, underWay, usedBy } from "../releases/store.ts";
import { factsAt } from "./check-change.ts";
import { buildFailed, descriptorUnusable, releaseEnded, releaseRefused, secretsMissing } from "./faults.ts";
import { askAtGate, closedAgain, gateTopic } from "./gate.ts";
import type { Parts } from "./parts.ts";
import { overtakenBy, planOneRelease, servesNow, type Delivery, type PlannedRelease, type ReleasePlan } from "./release-plan.ts";
import { reliefEnded } from "./reliefs.ts";
import { giveUp, rollOut } from "./roll-out.ts";
import { takeIn } from "./take-in.ts";

export interface DeliverInput extends Delivery {
  /** In the order of promotion. */
  environments: string[];
  /** What tells this delivery from others of the same commit, where it is not the first. */
  again?: string;
}

export interface Delivered {
  service: string;
  artifact: string;
  promoted: string[];
  /** The commit that was merged later and arrived earlier: this one went no further. */
  overtakenBy?: string;
}

/** From a merge to production: build and attest once, then for each environment plan, judge, wait for its approval and window, make the infrastructure, roll out. The first that does not go well ends it. */
export const deliverCommit = workflow(
  "deliver commit",
  ({ environments }: DeliverInput) => [
    "read the repository",
    "build and attest",
    ...environments.flatMap((environment) => [
      `plan ${environment}`,
      gateTopic(environment),
      `infrastructure for ${environment}`,
      `begin ${environment}`,
      `roll out to ${environment}`,
      `note ${environment}`,
    ]),
  ],
  async (run, { environments, again, ...delivery }: DeliverInput, parts: Parts): Promise<Delivered> => {
    const { db, clock, forge, ci, infra } = parts;
    const { repository, commit } = delivery;
    const actor = run.startedBy;

    const service = await run.transaction("read the repository", async (tx) => {
      const facts = await factsAt(parts, repository, commit);
      if (facts.problems.length > 0 || facts.name === null) throw descriptorUnusable(facts.problems);
      // An older merge that comes late must not undo what a newer one says.
      if ((await forge.head(repository)) === commit)
        await takeIn(tx, clock, actor, facts.name, { repository, commit, documents: facts.documents });
      return facts.name;
    });

    const { back } = delivery;
    const artifact = await run.step(
      "build and attest",
      async (step) => {
        if (back) return back.artifact;
        const build = async (id: string) => {
          await step.tell(`/ci-runs/${id}`);
          return ci.run({ id, repository, commit, purpose: "merge" }, step.signal);
        };
        let ended = await build(`ci-${repository}-${commit.slice(0, 12)}-merge`);
        // What was built well stays built: a delivery that is asked for again builds again only what failed.
        if (ended.state !== "passed" && again !== undefined) ended = await build(`${ended.id}-${again}`);
        // Without an artifact there is nothing to release. That its tests failed is evidence, and policy's to judge.
        if (!ended.artifact) throw buildFailed(ended.because ?? "no artifact was made", ended.id);
        return ended.artifact.digest;
      },
      { timeoutSeconds: 3600 },
    );

    const promoted: string[] = [];
    for (const environment of environments) {
      let planned: PlannedRelease | { newer: string };
      for (let attempt = 1; ; attempt++) {
        const release = [`rel-${service}-${environment}-${commit.slice(0, 12)}`, again, attempt === 1 ? undefined : attempt]
          .filter((part) => part !== undefined)
          .join("-");
        planned = await run.step(
          `plan ${environment}`,
          async (step) => {
            await turn(step, environment);
            const newer = back ? undefined : await overtakenBy(db, { ...delivery, service, environment });
            if (newer !== undefined) return { newer };
            return planOneRelease(parts, actor, release, delivery, artifact, environment);
          },
          { timeoutSeconds: 3600 },
        );
        if ("newer" in planned) return { service, artifact, promoted, overtakenBy: planned.newer };
        if (planned.missingSecrets.length > 0) throw secretsMissing(service, environment, planned.missingSecrets, release);
        if (planned.denied.length > 0) throw releaseRefused(environment, planned.denied, release);

        const { plan, decision } = planned;
        if (!back && !(await throughGate(environment, planned))) continue;
        await run.step(
          `infrastructure for ${environment}`,
          async (step) => {
            const { payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
            // The rule owner-exists refused already who had no owner when it was planned; nothing is made for one who lost it since.
            await requireOwner(db, service);
            const applied = await infra.apply(payload.infra, actor);
            await step.tell(applied.map(({ address, result }) => `${address} ${result}`).join(", "));
            return null;
          },
          { rollback: () => abandon(release) },
        );

        const begun = await run.step(
          `begin ${environment}`,
          async (step) => {
            const { basis, payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
            const supersede = (because: string) =>
              transact(db, (tx) => endRelease(tx, clock, actor, release, { state: "superseded", because }));
            for (;;) {
              await turn(step, environment, release);
              // An execution that was cut off has come this far.
              const { state } = await findRelease(db, release);
              if (state !== "planned") return state !== "superseded";
              // What a decision rests on may have ended since: evidence that was revoked, an exception or break-glass whose time is over.
              const reopened = (await reopenedBecause(db, decision)) ?? (await reliefEnded(db, decision, clock.now()));
              // And its gate may have closed again, while its infrastructure was made or it waited for its turn.
              const closed = back ? undefined : await closedAgain(parts, { release, plan });
              if (reopened !== undefined || closed !== undefined) {
                await supersede(
                  reopened !== undefined ? `the decision was re-opened: ${reopened}` : `its gate closed before it began: ${closed}`,
                );
                return false;
              }
              try {
                const basisNow = { ...basis, serves: await servesNow(parts, payload.target) };
                const begin = (tx: Tx) => beginRelease(tx, clock, actor, release, { decision, rules: payload.rules });
                await claim(db, clock, actor, plan, { basisNow, run: run.id, begin });
                return true;
              } catch (error) {
                // Another one was quicker: this one waits for it, and then finds that something else serves.
                if (isFault(error) && error.code === "releases.under_way") continue;
                if (!isFault(error) || error.code !== "plans.stale") throw error;
                await supersede(error.message);
                return false;
              }
            }
          },
          { timeoutSeconds: 3600 },
        );
        // Another release came in between, so that something else serves now, evidence was revoked, or the gate closed: what goes on is planned on that.
        if (begun) break;
      }
      const { release, plan } = planned;

      const ended = await run.child(`roll out to ${environment}`, rollOut, { release });
      if (ended.kind !== "promoted") throw releaseEnded(environment, ended.because, release);
      promoted.push(environment);

      await run.step(`note ${environment}`, async () => {
        const { payload } = (await findPlan(db, plan)).plan as unknown as ReleasePlan;
        // It may come late. A release that came in between was planned on what it found: what this one deletes may be what that one needs.
        const [serves, next] = [await currentRelease(db, service, environment), await underWay(db, service, environment)];
        if (serves?.id === release && !next) await infra.applyDeletes(payload.infra, actor);
        const { revision, artifactDigest, endedAt } = await findRelease(db, release);
        const since = endedAt ?? clock.now();
        const runs = { release, revision, artifactDigest, commit, since: since.toISOString() };
        // By the time of the promotion: of two notes that of the later release stays, whichever comes last.
        await transact(db, (tx) => note(tx, clock, actor, serviceRef(service), { [`runs.${environment}`]: runs }, since));
        return null;
      });
    }
    return { service, artifact, promoted };

    /** Waits at the gate before an environment: for an approval, a window, the end of a freeze. False where what it was planned on changed meanwhile. */
    async function throughGate(environment: string, release: PlannedRelease): Promise<boolean> {
      const name = gateTopic(environment);
      for (let first = true; ; first = false) {
        const asked = { run: run.id, actor, first };
        const gate = await run.step(
          name,
          () => askAtGate(parts, asked, delivery, release),
          first ? { rollback: () => giveUpWaiting(release.release) } : {},
        );
        if (gate.kind !== "waits") return gate.kind === "open";
        await run.waitFor(name, { topic: name, waitsFor: gate.waitsFor, timeoutSeconds: gate.lookAgainSeconds });
      }
    }

    /** A release whose run ends while it waits is over: nothing was made for it. */
    async function giveUpWaiting(release: string): Promise<void | "kept"> {
      const because = "its run ended while it waited";
      if ((await findRelease(db, release)).state !== "planned") return "kept";
      await transact(db, (tx) => endRelease(tx, clock, actor, release, { state: "failed", because }));
    }

    /**
     * Ends a release that could not go on. One that never began takes its infrastructure back, unless another release of the service may rest on it by now;
     * one that ended by itself keeps it, since its data may be in use.
     */
    async function abandon(release: string): Promise<void | "kept"> {
      const { state, plan, environment } = await findRelease(db, release);
      if (state === "rolling_out" || state === "held") return giveUp(parts, actor, release);
      if (state !== "planned" && state !== "failed") return "kept";
      if (state === "planned") {
        const because = "what it needed could not be made; its run says why";
        await transact(db, (tx) => endRelease(tx, clock, actor, release, { state: "failed", because }));
      }
      if (await usedBy(db, service, environment, release)) return "kept";
      await infra.takeBack(((await findPlan(db, plan as Digest)).plan as unknown as ReleasePlan).payload.infra, actor);
    }

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

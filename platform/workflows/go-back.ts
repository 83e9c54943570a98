import { newId } from "../kernel/ids.ts";
import { transact, type Sql } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";
import type { Orchestrator } from "../orchestrator/contract.ts";
import type { GoBack } from "../releases/go-back-routes.ts";
import { environmentNamed } from "../releases/environments.ts";
import type { Release } from "../releases/model.ts";
import { quarantined } from "../releases/quarantine.ts";
import { currentRelease, find, releases } from "../releases/store.ts";
import { deliverCommit } from "./deliver-commit.ts";
import { nothingToGoBackTo, wrongWayBack } from "./faults.ts";
import type { Parts } from "./parts.ts";

/**
 * Brings back, in one environment, what served before what serves now (or a release that is named): the artifact that was built then, with the configuration of its commit. A release like
 * any other, planned and judged; it waits for no window and no approval, and has all traffic as soon as it is healthy.
 */
export const goBack = (parts: Parts, orchestrator: Orchestrator): GoBack => ({
  async start({ service, environment, to, because }, by) {
    const { db, clock, environments } = parts;
    environmentNamed(environments, environment);
    const now = await currentRelease(db, service, environment);
    if (!now) throw nothingToGoBackTo(service, environment);
    const target = to === undefined ? await servedBefore(parts, now) : await find(db, to);
    if (!target) throw nothingToGoBackTo(service, environment);
    if (target.service !== service || target.environment !== environment || target.state !== "promoted" || target.id === now.id)
      throw wrongWayBack(target.id, service, environment);
    const again = newId("b", clock).slice(-8);
    const run = `back-${service}-${environment}-${again}`;
    const about = `component:default/${service}`;
    const change = (await parts.forge.changes({ repository: service, state: "merged" })).find(
      ({ mergeCommit }) => mergeCommit === target.commit,
    );
    if (!change) throw nothingToGoBackTo(service, environment);
    await transact(db, async (tx) => {
      const back = { to: target.id, from: now.id, artifact: target.artifactDigest };
      const input = { repository: service, number: change.number, commit: target.commit, environments: [environment], again, back };
      await orchestrator.start(deliverCommit, input, { id: run, about, startedBy: by, tx });
      await record(tx, clock, {
        type: "releases.going_back",
        about,
        actor: by,
        data: { run, environment, from: now.id, to: target.id, because },
      });
    });
    return { run, to: target.id };
  },
});

/** The newest release that was promoted there before, of another artifact that may still run. */
export async function servedBefore(
  { db }: { db: Sql },
  now: { id: string; service: string; environment: string; artifactDigest: string },
): Promise<Release | undefined> {
  const { service, environment } = now;
  for (const release of await releases(db, { service, environment, limit: 200 })) {
    if (release.state !== "promoted" || release.id === now.id || release.artifactDigest === now.artifactDigest) continue;
    if (!(await quarantined(db, service, release.artifactDigest))) return release;
  }
  return undefined;
}

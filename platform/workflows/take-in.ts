import { ingest, type Descriptor } from "../catalog/store.ts";
import { serviceView } from "../catalog/views.ts";
import { handOver } from "../forge/store.ts";
import { groupRef } from "../identity/access.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Tx } from "../kernel/sql.ts";

/**
 * Takes in what a repository's main says of its service, and hands the repository to the owner that it names. A team that the catalog does not know gets nothing: nobody could
 * push what mends it. Throws what `ingest` does.
 */
export async function takeIn(tx: Tx, clock: Clock, actor: string, service: string, descriptor: Descriptor): Promise<void> {
  await ingest(tx, clock, actor, descriptor);
  const { owner, ownerExists } = await serviceView(tx, service);
  if (ownerExists) await handOver(tx, clock, actor, { repository: descriptor.repository, owner: groupRef(owner) });
}

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import type { Clock } from "../kernel/clock.ts";
import { transact, type Db } from "../kernel/sql.ts";
import { record } from "../ledger/store.ts";

/** How long what a build left is kept in any case: its log, and its artifact. */
const KEEP_DAYS = 90;
/** Artifacts of this many releases are kept for each service and environment, however old: those are what one goes back to. */
const KEEP_RELEASES = 10;
const BATCH = 500;

/** How often it is looked for. */
export const FORGET_EVERY_MS = 6 * 3_600_000;

/**
 * Removes what builds left long ago and nobody can need: logs, and artifacts that are neither among a service's last releases nor on their way. Runs, evidence, plans and decisions stay: what was proven about an artifact
 * holds whether its bytes are here or not. May be repeated, and may be cut off.
 */
export async function forgetBuilds({ db, clock, ciFolder }: { db: Db; clock: Clock; ciFolder: string }): Promise<void> {
  const before = new Date(clock.now().getTime() - KEEP_DAYS * 86_400_000);
  await forgetLogs(join(ciFolder, "logs"), before);
  for (;;) {
    const { rows } = await sql<{ digest: string; path: string; repository: string }>`
      select digest, path, repository from artifact
      where last_built_at < ${before} and forgotten_at is null and path <> ''
        and digest not in (
          select artifact_digest from release where ended_at is null
          union
          select artifact_digest from (
            select artifact_digest, row_number() over (partition by service, environment order by created_at desc) as nth
            from release where state = 'promoted'
          ) as promoted where nth <= ${KEEP_RELEASES}
        )
      limit ${BATCH}`.execute(db);
    for (const { digest, path, repository } of rows) {
      await transact(db, async (tx) => {
        const marked = await tx
          .updateTable("artifact")
          .set({ forgotten_at: clock.now() })
          .where("digest", "=", digest)
          .where("forgotten_at", "is", null)
          .where("last_built_at", "<", before)
          .executeTakeFirst();
        if (marked.numUpdatedRows === 0n) return; // another server was here
        await rm(path, { force: true });
        const about = `repository:${repository}`;
        await record(tx, clock, { type: "evidence.artifact_forgotten", about, actor: "system:ci", data: { artifact: digest } });
      });
    }
    if (rows.length < BATCH) return;
  }
}

async function forgetLogs(folder: string, before: Date): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const path = join(folder, name);
    const written = await stat(path).then(({ mtime }) => mtime, () => undefined); // prettier-ignore
    if (written && written < before) await rm(path, { force: true });
  }
}

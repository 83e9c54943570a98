import { systemClock } from "../../kernel/clock.ts";
import { openDatabase } from "../../kernel/sql.ts";
import { people } from "./fixture.ts";
import { localForge } from "./forge.ts";

/** Merges change request 1 of a repository, in a process that its test kills: DATABASE FOLDER REPOSITORY HEAD. */
const [url, folder, repository, head] = process.argv.slice(2) as [string, string, string, string];
const db = openDatabase(url);
const forge = await localForge({ db, clock: systemClock, folder, publicUrl: "http://127.0.0.1" });
await forge.merge({
  repository,
  number: 1,
  head,
  merger: people.ada,
  tierOf: async () => "tier-3",
  directory: { groupsOf: async () => [] },
});
await db.destroy();

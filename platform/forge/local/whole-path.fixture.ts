import { openDatabase } from "../../kernel/sql.ts";
import { testClock } from "../../testing/clock.ts";
import type { Principal } from "../../identity/model.ts";
import { localForge } from "./forge.ts";

/** Takes a repository from nothing to its first merge, in a process that its test kills: DATABASE FOLDER REPOSITORY. Every call is made again each time. */
const [url, folder, name] = process.argv.slice(2) as [string, string, string];
const db = openDatabase(url);
const forge = await localForge({ db, clock: testClock(), folder, publicUrl: "http://127.0.0.1" });
const ada: Principal = { ref: "user:default/ada", kind: "person", displayName: "Ada", scopes: ["write"], groups: [], administrator: false };
const author = { ref: ada.ref, name: ada.displayName };
const at = new Date("2026-03-01T12:00:00Z");
const file = (path: string) => ({ path, mode: "100644" as const, encoding: "utf8" as const, content: `${path}\n` });

await forge.reconcile();
await forge.createRepository({ name, owner: "group:default/team-a", files: [file("README.md")], message: "Begin", author, at });
const { commit: head } = await forge.createBranch({
  repository: name,
  branch: "first",
  files: [file("README.md"), file("main.ts")],
  message: "Add the service",
  author,
  at,
});
const [merged] = await forge.changes({ repository: name, state: "merged" });
const { number } =
  merged ?? (await forge.openChange({ repository: name, branch: "first", title: "First", description: "", author: author.ref }));
await forge.setCheck(name, head, { name: "ci", state: "passed", summary: "", details: [], link: null });
await forge.merge({
  repository: name,
  number,
  head,
  merger: ada,
  tierOf: async () => "tier-3",
  needsCodeOwner: () => false,
  directory: { groupsOf: async () => [] },
});
await db.destroy();

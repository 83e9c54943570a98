import { join } from "node:path";
import { gitText } from "./git.ts";
import type { Source } from "./source.ts";

/** A commit with both histories behind it. */
export interface Joined {
  commit: string;
  /** The repository's own CODEOWNERS stays, and does not name the owning team. */
  foreignOwners: boolean;
  /** Of the platform's files: what the repository has itself and stays as it is. */
  kept: string[];
  /** What the repository has itself and can't stay, with why; the platform's is in its place. */
  replaced: { path: string; because: string }[];
}

/** Says what a repository was generated from: only the platform knows. */
const LOCK = "cairn.lock";

/**
 * Joins the imported history to the generated branch, which lies at `generated` in the same repository: a merge of two histories that have no commit in common. The repository's own files win, but for
 * descriptors that can't be those of this service. It is made of objects alone: no checkout, no filter, no hook.
 */
export async function joinHistories(
  source: Source,
  generated: string,
  of: { service: string; owner: string },
  author: { name: string; email: string },
): Promise<Joined> {
  const { whyUnusable } = await import("@cairn/platform/offline.ts"); // here, lest every command load it
  const own = ["-C", source.folder];
  const env = { GIT_INDEX_FILE: join(source.folder, "cairn-index"), ...(await identity(own, author)) };
  const theirs = new Set(source.files.map(({ path }) => path));
  const folders = new Set(source.files.flatMap(({ path }) => foldersOf(path)));
  const owners = theirs.has("CODEOWNERS") ? await source.read("CODEOWNERS") : undefined;
  const foreignOwners = owners !== undefined && !owners.includes(`@${of.owner}`);
  const joined: Joined = { commit: "", foreignOwners, kept: [], replaced: [] };
  const ours: string[] = [];
  for (const line of (await gitText([...own, "ls-tree", "-r", "-z", "--full-tree", generated])).split("\0")) {
    const [, mode = "", blob = "", path = ""] = /^(\d+) \w+ ([0-9a-f]+)\t([\s\S]+)$/.exec(line) ?? [];
    if (path === "") continue;
    const inTheWay = folders.has(path) ? path : foldersOf(path).find((folder) => theirs.has(folder));
    if (inTheWay !== undefined) {
      joined.kept.push(inTheWay);
      continue;
    }
    if (theirs.has(path)) {
      const text = await source.read(path);
      const because =
        path === LOCK ? "it tells of another golden path" : text === undefined ? "it is no text file" : await whyUnusable(path, text, of);
      if (because === undefined) {
        joined.kept.push(path);
        continue;
      }
      joined.replaced.push({ path, because });
    }
    ours.push(`${mode} ${blob}\t${path}\0`);
  }
  await gitText([...own, "read-tree", source.commit], { env });
  await gitText([...own, "update-index", "-z", "--index-info"], { env, input: ours.join("") });
  const tree = await gitText([...own, "write-tree"], { env });
  const message = `Bring the code and its history\n\nFrom ${source.branch} at ${source.commit}.\n`;
  joined.commit = await gitText([...own, "commit-tree", tree, "-p", generated, "-p", source.commit], { env, input: message });
  return { ...joined, kept: [...new Set(joined.kept)] };
}

/** The user's own, where git knows one. */
async function identity(own: string[], author: { name: string; email: string }): Promise<NodeJS.ProcessEnv> {
  const email = await gitText([...own, "config", "--get", "user.email"]).catch(() => process.env.GIT_AUTHOR_EMAIL ?? "");
  if (email !== "") return {};
  return {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
  };
}

const foldersOf = (path: string): string[] => [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));

import ignore from "ignore";
import type { CodeOwnerGroup } from "./model.ts";

/** Where CODEOWNERS may lie; the first that is there holds. Source: GitHub, "About code owners". */
export const CODEOWNERS_PATHS = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/** A person as far as ownership is concerned. */
export interface Person {
  ref: string;
  groups: readonly string[];
}

/** Who answers for each changed file, files of the same owners together. A file that no line names belongs to the repository's owner. */
export function ownersOf(
  codeOwners: string | undefined,
  repositoryOwner: string,
  files: readonly string[],
  approvers: readonly Person[],
): CodeOwnerGroup[] {
  const lines = linesOf(codeOwners ?? "");
  const groups = new Map<string, { owners: string[]; files: string[] }>();
  for (const file of files) {
    const named = lines.findLast((line) => line.matches(file))?.owners ?? [];
    const owners = named.length > 0 ? named : [repositoryOwner];
    const key = [...owners].sort().join(" ");
    const group = groups.get(key) ?? { owners, files: [] };
    group.files.push(file);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ owners, files: all }) => ({
    owners,
    files: all.slice(0, 100),
    fileCount: all.length,
    approvedBy: approvers.filter((person) => owners.some((owner) => isOwner(owner, person))).map(({ ref }) => ref),
  }));
}

/**
 * Whether an owner as written means this person or a group of theirs: `@team-a`, `@default/team-a`, `group:default/team-a`, `user:ada`.
 * Names without a namespace are in `default`; names without a kind may be either. A mail address means nobody here.
 */
export function isOwner(owner: string, { ref, groups }: Person): boolean {
  const [, kind, namespace = "default", name] = /^(?:@|(user|group):)?(?:([\w.-]+)\/)?([\w.-]+)$/i.exec(owner) ?? [];
  if (name === undefined) return false;
  const means = (kindOfRef: string, of: string) =>
    (kind === undefined || kind.toLowerCase() === kindOfRef) && of.toLowerCase() === `${kindOfRef}:${namespace}/${name}`.toLowerCase();
  return means("user", ref) || groups.some((group) => means("group", group));
}

/**
 * The lines of a CODEOWNERS file: a pattern as in .gitignore, which knows case here, then owners. Unlike in .gitignore `docs/*` means the files in docs alone,
 * not what lies deeper, and there is no negation. Source: GitHub, "CODEOWNERS syntax".
 */
function linesOf(text: string): { matches: (file: string) => boolean; owners: string[] }[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("!"))
    .map((line) => {
      const [pattern, ...owners] = line.split(/(?<!\\)\s+/);
      const rule = ignore({ ignorecase: false, allowRelativePaths: true }).add(pattern!);
      const shallow = pattern!.endsWith("/*");
      const folderOf = (file: string) => file.slice(0, Math.max(0, file.lastIndexOf("/")));
      return { owners, matches: (file) => rule.ignores(file) && !(shallow && folderOf(file) !== "" && rule.ignores(folderOf(file))) };
    });
}

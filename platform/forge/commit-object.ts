import { createHash } from "node:crypto";
import { commitWrong } from "./faults.ts";

/** git's id of an object: the hash of its kind, its size and its bytes. SHA-1, or SHA-256 where the repository's ids have 64 digits. Source: git, "Documentation/gitformat-loose". */
export const objectId = (kind: "commit", bytes: Buffer, digits: number): string =>
  createHash(digits === 64 ? "sha256" : "sha1")
    .update(`${kind} ${bytes.length}\0`)
    .update(bytes)
    .digest("hex");

/** The tree that a commit stands for, by the bytes of the commit itself. Throws `forge.commit_wrong` where they are not that commit's. */
export function treeOf(commit: string, bytes: Buffer): string {
  const tree = /^tree ([0-9a-f]+)\n/.exec(bytes.toString("latin1"))?.[1];
  if (tree === undefined || objectId("commit", bytes, commit.length) !== commit) throw commitWrong(commit);
  return tree;
}

import { createHash } from "node:crypto";
import { z } from "zod";

/** A file of a tree. `content` is UTF-8 text, or base64 where `encoding` says so. */
export const TreeFile = z.object({
  path: z.string(),
  mode: z.enum(["100644", "100755"]).default("100644"),
  encoding: z.enum(["utf8", "base64"]).default("utf8"),
  content: z.string(),
});
export type TreeFile = z.infer<typeof TreeFile>;

export const bytesOf = (file: TreeFile): Buffer => Buffer.from(file.content, file.encoding);

/** The object id that git (sha-1 repositories) gives a folder with exactly these files. Source: git's tree object format, entries sorted as git does. */
export function gitTreeId(files: readonly TreeFile[]): string {
  const folders = new Map<string, TreeFile[]>();
  const entries: { name: string; sortKey: string; mode: string; id: string }[] = [];
  for (const file of files) {
    const slash = file.path.indexOf("/");
    if (slash === -1) {
      entries.push({ name: file.path, sortKey: file.path, mode: file.mode, id: objectId("blob", bytesOf(file)) });
    } else {
      const folder = file.path.slice(0, slash);
      folders.set(folder, [...(folders.get(folder) ?? []), { ...file, path: file.path.slice(slash + 1) }]);
    }
  }
  for (const [name, inside] of folders) entries.push({ name, sortKey: `${name}/`, mode: "40000", id: gitTreeId(inside) });
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.sortKey), Buffer.from(b.sortKey)));
  return objectId(
    "tree",
    Buffer.concat(entries.flatMap((entry) => [Buffer.from(`${entry.mode} ${entry.name}\0`), Buffer.from(entry.id, "hex")])),
  );
}

const objectId = (kind: string, body: Buffer): string => createHash("sha1").update(`${kind} ${body.length}\0`).update(body).digest("hex");

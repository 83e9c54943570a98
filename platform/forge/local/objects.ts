import { bytesOf, type TreeFile } from "../../kernel/file-tree.ts";
import type { Author } from "../contract.ts";
import { fileRefused } from "../faults.ts";
import type { Git } from "./git.ts";

export interface Commit {
  commit: string;
  tree: string;
}

/**
 * Writes a commit with exactly these files and gives its id; no branch points at it yet. Everything in it is an argument, so the same input gives the
 * same commit, on any machine. Throws `forge.file_refused`.
 */
export async function writeCommit(
  git: Git,
  gitDir: string,
  input: { files: readonly TreeFile[]; parent?: string; message: string; author: Author; at: Date; keepOthers?: boolean },
): Promise<Commit> {
  refuseUnsafeFiles(input.files);
  const ident = `${identOf(input.author)} ${Math.floor(input.at.getTime() / 1000)} +0000`;
  const stream: (string | Buffer)[] = ["feature done\n"];
  input.files.forEach((file, index) => stream.push(`blob\nmark :${index + 1}\n`, data(bytesOf(file))));
  // git fast-import needs a reference to build on; this one is hidden from clients and goes away below.
  const workRef = "refs/platform/writing";
  stream.push(
    `commit ${workRef}\nmark :${input.files.length + 1}\nauthor ${ident}\ncommitter ${ident}\n`,
    data(messageText(input.message)),
  );
  if (input.parent) stream.push(`from ${input.parent}\n`);
  if (input.keepOthers !== true) stream.push("deleteall\n");
  input.files.forEach((file, index) => stream.push(`M ${file.mode} :${index + 1} ${quoted(file.path)}\n`));
  stream.push("done\n");
  await git.runIn(gitDir, ["fast-import", "--quiet", "--force", "--date-format=raw"], {
    input: Buffer.concat(stream.map((part) => Buffer.from(part))),
  });
  const [commit, tree] = (await git.runIn(gitDir, ["log", "-1", "--format=%H %T", workRef])).stdout.toString().trim().split(" ");
  await git.runIn(gitDir, ["update-ref", "-d", workRef]);
  return { commit: commit!, tree: tree! };
}

/** Writes a commit of a tree that is there already. */
export async function writeMerge(
  git: Git,
  repository: string,
  input: { tree: string; parent: string; message: string; author: Author; at: Date },
): Promise<string> {
  const when = `${Math.floor(input.at.getTime() / 1000)} +0000`;
  const ident = identOf(input.author);
  const body = `tree ${input.tree}\nparent ${input.parent}\nauthor ${ident} ${when}\ncommitter Cairn <cairn@platform.invalid> ${when}\n\n${messageText(input.message)}`;
  return (await git.run(repository, ["hash-object", "-t", "commit", "-w", "--stdin"], { input: body })).stdout.toString().trim();
}

/** Name and a mail address that reaches nobody, made of the entity reference: `user:default/ada` is `ada <ada@default.user.invalid>`. */
function identOf({ ref, name }: Author): string {
  const [, kind, namespace, id] = /^([^:]+):(?:([^/]+)\/)?(.+)$/.exec(ref) ?? [];
  const address = id ? `${id}@${namespace ?? "platform"}.${kind}.invalid` : `${ref}@platform.invalid`;
  const clean = (text: string) =>
    [...text]
      .filter((letter) => (letter > " " ? letter !== "<" && letter !== ">" : letter === " "))
      .join("")
      .trim();
  return `${clean(name) || clean(id ?? ref) || "unnamed"} <${clean(address).replaceAll(" ", "-")}>`;
}

/** Only plain relative paths, each once, none of them git's own: a work tree of them can't reach outside itself. */
function refuseUnsafeFiles(files: readonly TreeFile[]): void {
  const taken = new Map<string, "file" | "folder">();
  const take = (path: string, kind: "file" | "folder", whole: string) => {
    const before = taken.get(path);
    if (before !== undefined && (kind === "file" || before === "file"))
      throw fileRefused(whole, before === kind ? "it is there twice" : "a file and a folder of one name");
    taken.set(path, kind);
  };
  for (const { path } of files) {
    const parts = path.split("/");
    for (const part of parts) {
      if (part === "" || part === "." || part === "..") throw fileRefused(path, "it is not a plain relative path");
      // What a file system may take for .git: case, trailing dots and spaces, NTFS' short name, HFS' ignorable letters.
      const plain = part
        .normalize("NFKC")
        .replaceAll(/[\p{Cf}]/gu, "")
        .replace(/[. ]+$/, "")
        .toLowerCase();
      if (plain === ".git" || plain.startsWith(".git:") || /^git~\d+$/.test(plain)) throw fileRefused(path, "that name is git's own");
      if (/[\p{Cc}\\]/u.test(part)) throw fileRefused(path, "it has a control character or a backslash");
    }
    for (let depth = 1; depth < parts.length; depth++) take(parts.slice(0, depth).join("/"), "folder", path);
    take(path, "file", path);
  }
}

const messageText = (message: string) => `${message.replaceAll("\0", "").trim() || "No message"}\n`;

function data(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from("\n")]);
}

const quoted = (path: string) => `"${path.replaceAll('"', '\\"')}"`;

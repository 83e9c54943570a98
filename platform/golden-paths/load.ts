import { lstat, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { digestOf, sha256, type Digest } from "../kernel/digest.ts";
import { bytesOf, type TreeFile } from "../kernel/file-tree.ts";
import { messageOf } from "../kernel/faults.ts";
import { templateInvalid, unknownGoldenPath } from "./faults.ts";
import { Offer, Template } from "./model.ts";

/** A template and all files of its folder, as they are on disk now. */
export interface GoldenPath {
  template: Template;
  /** Unset for a template that is only a test case. */
  offer: Offer | undefined;
  files: readonly TreeFile[];
  /** Of everything in the folder: two golden paths with one digest generate the same. */
  digest: Digest;
}

const MAX_FILES = 2000;
const MAX_BYTES = 32 * 1024 * 1024;
const TEMPLATE = "template.yaml";
const OFFER = "golden-path.yaml";

/** Every folder in `library` that holds a template.yaml, by name. Throws `golden_paths.template_invalid`, naming folder and line. */
export async function loadGoldenPaths(library: string): Promise<GoldenPath[]> {
  const folders = (await readdir(library, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found: GoldenPath[] = [];
  for (const folder of folders.toSorted()) {
    if (!(await lstat(join(library, folder, TEMPLATE)).catch(() => undefined))) continue;
    found.push(await loadGoldenPath(join(library, folder)));
  }
  const names = found.map(({ template }) => template.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw templateInvalid(library, `two templates are called ${twice}`);
  return found;
}

/** The offered golden path of that name, as its files are now. Throws `golden_paths.unknown`. */
export async function findGoldenPath(library: string, name: string): Promise<GoldenPath> {
  const offered = (await loadGoldenPaths(library)).filter(({ offer }) => offer);
  const found = offered.find(({ template }) => template.name === name);
  if (!found)
    throw unknownGoldenPath(
      name,
      offered.map(({ template }) => template.name),
    );
  return found;
}

/** The golden path of one folder. */
export async function loadGoldenPath(folder: string): Promise<GoldenPath> {
  const files = await readTree(folder);
  const template = readYaml(folder, files, TEMPLATE, Template);
  if (!template) throw templateInvalid(folder, `${TEMPLATE} is missing`);
  return { template, offer: readYaml(folder, files, OFFER, Offer), files, digest: digestOfFiles(files) };
}

/** The digest over paths, modes and contents. */
const digestOfFiles = (files: readonly TreeFile[]): Digest => digestOf(files.map((file) => [file.path, file.mode, sha256(bytesOf(file))]));

function readYaml<T>(folder: string, files: readonly TreeFile[], path: string, schema: z.ZodType<T>): T | undefined {
  const file = files.find((one) => one.path === path);
  if (!file) return undefined;
  let document: unknown;
  try {
    document = parse(file.content);
  } catch (error) {
    throw templateInvalid(join(folder, path), messageOf(error));
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  throw templateInvalid(
    join(folder, path),
    result.error.issues.map((issue) => `${issue.path.join(".") || "the document"}: ${issue.message}`).join("; "),
  );
}

/** All regular files below a folder in the order of their paths. A symbolic link is refused: it could point at anything on the machine. */
async function readTree(folder: string): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  let bytes = 0;
  const visit = async (inside: string): Promise<void> => {
    for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
      const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (entry.isDirectory()) {
        await visit(path);
        continue;
      }
      if (!entry.isFile()) throw templateInvalid(folder, `${path} is not a regular file; links are refused`);
      const content = await readFile(join(folder, path));
      bytes += content.length;
      if (files.length >= MAX_FILES || bytes > MAX_BYTES)
        throw templateInvalid(folder, `more than ${MAX_FILES} files or ${MAX_BYTES} bytes`);
      files.push(asTreeFile(path, content, ((await lstat(join(folder, path))).mode & 0o100) !== 0));
    }
  };
  await visit("");
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function asTreeFile(path: string, content: Buffer, executable: boolean): TreeFile {
  const text = content.toString("utf8");
  const isText = !content.includes(0) && Buffer.from(text, "utf8").equals(content);
  return {
    path,
    mode: executable ? "100755" : "100644",
    ...(isText ? { encoding: "utf8", content: text } : { encoding: "base64", content: content.toString("base64") }),
  };
}

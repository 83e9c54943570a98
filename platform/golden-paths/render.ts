import { sha256 } from "../kernel/digest.ts";
import { bytesOf, type TreeFile } from "../kernel/file-tree.ts";
import { checkAnswers } from "./answers.ts";
import { pathRefused, pathTaken, sourceMissing } from "./faults.ts";
import type { GoldenPath } from "./load.ts";
import { RenderContext, type Answers, type Lock, type Template } from "./model.ts";
import { withRenderer, type Limits, type Source } from "./renderer.ts";

const LOCK_PATH = "cairn.lock";

export interface Rendered {
  /** The whole tree in the order of its paths, cairn.lock included. */
  files: TreeFile[];
  lock: Lock;
  /** With the defaults filled in. */
  answers: Answers;
}

/**
 * The file tree that a golden path gives for these answers: of template, answers and context alone, so that the same ones always give the same bytes.
 * Throws `golden_paths.answer_refused`, and for a defect of the template `golden_paths.render_failed`, `.render_too_large`, `.source_missing`,
 * `.path_refused` (it leaves the repository) or `.path_taken` (two outputs for one path).
 */
export async function renderGoldenPath(
  path: GoldenPath,
  given: Readonly<Record<string, unknown>>,
  context: RenderContext,
): Promise<Rendered> {
  const answers = checkAnswers(path.template, given);
  const told = RenderContext.parse(context);
  const { name, version } = path.template;
  const goldenPath = { name, version, digest: path.digest };
  const generated = await renderTemplate(path.template, path.files, { ...told, golden_path: goldenPath, ...answers });
  const taken = generated.find((file) => file.path === LOCK_PATH || file.path.startsWith(`${LOCK_PATH}/`));
  if (taken) throw pathTaken(taken.path, LOCK_PATH);
  const files = Object.fromEntries(generated.map((file) => [file.path, sha256(bytesOf(file))]));
  const lock: Lock = { lockVersion: 1, goldenPath, answers, context: told, files };
  const lockFile: TreeFile = { path: LOCK_PATH, mode: "100644", encoding: "utf8", content: `${JSON.stringify(lock, null, 2)}\n` };
  return { files: [...generated, lockFile].toSorted(byPath), lock, answers };
}

/** What the outputs of a template give with exactly these variables. The source files, read before, are the template's own folder. */
export function renderTemplate(
  template: Template,
  files: readonly TreeFile[],
  variables: Readonly<Record<string, unknown>>,
  limits?: Partial<Limits>,
): Promise<TreeFile[]> {
  return withRenderer(
    variables,
    async (render) => {
      const outputs = await render(
        template.outputs.flatMap((output, index) => [
          { where: `outputs.${index}.source`, text: output.source },
          { where: `outputs.${index}.destination`, text: output.destination },
        ]),
      );
      const chosen = template.outputs.flatMap((_, index) =>
        chosenBy(template, files, outputs[2 * index] ?? "", outputs[2 * index + 1] ?? ""),
      );
      const paths = await render(chosen.map(({ file, path }) => ({ where: `the path of ${file.path}`, text: path })));
      refuseCollisions(paths.map((path) => checkedPath(path)));
      const texts = chosen.filter(({ file }) => file.encoding === "utf8");
      const rendered = await render(texts.map(({ file }): Source => ({ where: file.path, text: file.content })));
      const contentOf = new Map(texts.map((one, index) => [one, rendered[index] ?? ""]));
      return chosen
        .map((one, index): TreeFile => ({ ...one.file, path: paths[index] ?? "", content: contentOf.get(one) ?? one.file.content }))
        .toSorted(byPath);
    },
    limits,
  );
}

/** The files that one output takes, each with its path in the repository; the names of files inside a folder are templates too. */
function chosenBy(template: Template, files: readonly TreeFile[], source: string, destination: string): { file: TreeFile; path: string }[] {
  const from = source.endsWith("/") ? source.slice(0, -1) : source;
  checkedPath(from);
  const to = destination === "/" ? "" : destination;
  if (!source.endsWith("/")) {
    const file = files.find((one) => one.path === from);
    if (!file) throw sourceMissing(template.name, `file ${source}`);
    return [{ file, path: to === "" || to.endsWith("/") ? `${to}${from.slice(from.lastIndexOf("/") + 1)}` : to }];
  }
  const inside = files.filter((one) => one.path.startsWith(`${from}/`));
  if (inside.length === 0) throw sourceMissing(template.name, `folder ${source}`);
  const folder = to === "" || to.endsWith("/") ? to : `${to}/`;
  return inside.map((file) => ({ file, path: `${folder}${file.path.slice(from.length + 1)}` }));
}

/** A path inside a repository, or `golden_paths.path_refused`. Git itself refuses `.git` in any spelling that some file system takes for it. */
function checkedPath(path: string): string {
  const parts = path.split("/");
  if (path.startsWith("/") || /^[a-z]:/i.test(path)) throw pathRefused(path, "is absolute");
  if (parts.includes("..") || parts.includes(".")) throw pathRefused(path, "leaves its folder");
  if (parts.includes("")) throw pathRefused(path, "has an empty part");
  if (parts.some((part) => /^(\.git|git~1)$/i.test(part.replaceAll(/[ .]+$/g, "")))) throw pathRefused(path, "is git's own");
  // oxlint-disable-next-line no-control-regex
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\]/u.test(path) || Buffer.byteLength(path) > 400)
    throw pathRefused(path, "is not a path that every machine can keep");
  return path;
}

function refuseCollisions(paths: readonly string[]): void {
  const taken = new Set<string>();
  for (const path of paths) {
    if (taken.has(path)) throw pathTaken(path, path);
    taken.add(path);
  }
  for (const path of paths)
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1))
      if (taken.has(path.slice(0, slash))) throw pathTaken(path, path.slice(0, slash));
}

const byPath = (a: TreeFile, b: TreeFile): number => (a.path < b.path ? -1 : 1);

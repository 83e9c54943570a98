import { messageOf } from "../kernel/faults.ts";
import { yamlDocuments } from "../kernel/yaml.ts";
import { patchInvalid } from "./faults.ts";
import type { Manifest } from "./manifests.ts";

/** A file of k8s/ in a repository. */
export interface PatchFile {
  path: string;
  text: string;
}

export interface Patch {
  path: string;
  object: Manifest;
}

const ADD = "cairn.dev/add";

/** The patches of a repository: the YAML documents of each file directly in k8s/, in the order of the files' names. Throws `infra.patch_invalid`. */
export function parsePatches(files: readonly PatchFile[]): Patch[] {
  return files
    .filter(({ path }) => /^k8s\/[^/]+\.ya?ml$/.test(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .flatMap(({ path, text }) =>
      documentsOf(path, text).flatMap((object) => {
        if (object === null) return [];
        if (!isObject(object) || typeof object.kind !== "string" || nameOf(object) === undefined)
          throw patchInvalid(path, "a patch has kind and metadata.name");
        return [{ path, object }];
      }),
    );
}

function documentsOf(path: string, text: string): unknown[] {
  try {
    return yamlDocuments(text);
  } catch (error) {
    throw patchInvalid(path, messageOf(error));
  }
}

/**
 * Manifests with the patches merged in, each into the object of its kind and name (JSON merge patch, RFC 7396). One whose object is not there is added if it carries the annotation
 * cairn.dev/add, else refused; so is one that would move an object to another namespace or name. Throws `infra.patch_invalid`.
 */
export function applyPatches(manifests: readonly Manifest[], patches: readonly Patch[]): Manifest[] {
  const patched = [...manifests];
  for (const { path, object } of patches) {
    const index = patched.findIndex((one) => one.kind === object.kind && nameOf(one) === nameOf(object));
    const target = patched[index];
    if (!target) {
      if (!addsItself(object)) throw patchInvalid(path, `no ${String(object.kind)} ${nameOf(object)} was rendered`);
      patched.push(object);
      continue;
    }
    const merged = mergePatch(target, object) as Manifest;
    if (namespaceIn(merged) !== namespaceIn(target)) throw patchInvalid(path, "metadata.namespace is the platform's to set");
    patched[index] = merged;
  }
  return patched;
}

/** RFC 7396, section 2. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = Object.assign(Object.create(null), isObject(target) ? target : {});
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return { ...merged };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const metadataOf = (object: Manifest): Record<string, unknown> => (isObject(object.metadata) ? object.metadata : {});
const nameOf = (object: Manifest): string | undefined =>
  typeof metadataOf(object).name === "string" ? String(metadataOf(object).name) : undefined;
const namespaceIn = (object: Manifest): unknown => metadataOf(object).namespace;
const addsItself = (object: Manifest): boolean => {
  const { annotations } = metadataOf(object);
  return isObject(annotations) && annotations[ADD] === "true";
};

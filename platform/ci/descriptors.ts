import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments, LineCounter } from "yaml";
import { isFault } from "../kernel/faults.ts";
import type { Contract } from "./contract.ts";
import { parseContract, parseYaml } from "./contract-file.ts";
import { contractMissing, descriptorInvalid } from "./faults.ts";

/** Checks one descriptor's text beyond being YAML; throws a Fault that says what is wrong. */
export type DescriptorCheck = (text: string, path: string) => void;

/** By path in the repository. */
export type DescriptorChecks = Readonly<Record<string, DescriptorCheck>>;

/** The files that make a repository one of the platform's. Rules judge which of them a tier needs; here they are read. */
export const DESCRIPTORS = ["catalog-info.yaml", "score.yaml", "slo.yaml"] as const;

const MAX_BYTES = 1024 * 1024;

export interface Descriptors {
  contract: Contract | undefined;
  /** Descriptors that the repository does not have. */
  missing: string[];
  /** What is wrong, one line each. */
  problems: string[];
}

/** Reads cairn.yaml and the other descriptors of a folder, and collects everything that is wrong with them. */
export async function readDescriptors(folder: string, checks: DescriptorChecks = {}): Promise<Descriptors> {
  const found: Descriptors = { contract: undefined, missing: [], problems: [] };
  const attempt = async (read: () => Promise<void>) => {
    try {
      await read();
    } catch (error) {
      if (!isFault(error)) throw error;
      found.problems.push(error.message);
    }
  };
  await attempt(async () => {
    const text = await textOf(folder, "cairn.yaml");
    if (text === undefined) throw contractMissing();
    found.contract = parseContract(text);
  });
  for (const path of DESCRIPTORS)
    await attempt(async () => {
      const text = await textOf(folder, path);
      if (text === undefined) return void found.missing.push(path);
      if (path === "catalog-info.yaml") checkEntities(text, path);
      else parseYaml(text, path);
      checks[path]?.(text, path);
    });
  return found;
}

/** Every document of catalog-info.yaml is an entity with a kind and a name. */
export function checkEntities(text: string, path: string): void {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  if (!Array.isArray(documents) || documents.length === 0) throw descriptorInvalid(path, 1, "it is empty");
  for (const document of documents) {
    const error = document.errors[0];
    if (error) throw descriptorInvalid(path, lines.linePos(error.pos[0]).line, error.message);
    const line = document.contents?.range ? lines.linePos(document.contents.range[0]).line : undefined;
    for (const field of [["apiVersion"], ["kind"], ["metadata", "name"]])
      if (typeof document.getIn(field) !== "string") throw descriptorInvalid(path, line, `${field.join(".")} is missing`);
  }
}

async function textOf(folder: string, path: string): Promise<string | undefined> {
  const stat = await lstat(join(folder, path)).catch(() => undefined);
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw descriptorInvalid(path, undefined, "it is not a plain file");
  if (stat.size > MAX_BYTES) throw descriptorInvalid(path, undefined, "it is larger than 1 MiB");
  return readFile(join(folder, path), "utf8");
}

import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkDocuments, parseDocuments, REPOSITORY_KINDS } from "../catalog/descriptor.ts";
import { isFault } from "../kernel/faults.ts";
import type { Contract } from "./contract.ts";
import { parseContract } from "./contract-file.ts";
import { contractMissing, descriptorInvalid } from "./faults.ts";

/** Checks one descriptor's text beyond being YAML; throws a Fault that says what is wrong. */
type DescriptorCheck = (text: string, path: string) => void | Promise<void>;

/** By path in the repository. */
export type DescriptorChecks = Readonly<Record<string, DescriptorCheck>>;

/** The files that make a repository one of the platform's. Rules judge which of them a tier needs; here they are read. */
const DESCRIPTORS = ["catalog-info.yaml", "score.yaml", "slo.yaml"] as const;

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
      if (path === "catalog-info.yaml") await checkEntities(text, path);
      else checkYaml(text, path);
      await checks[path]?.(text, path);
    });
  return found;
}

/** YAML, of one document or several (SLOs come in one file). Throws `ci.descriptor_invalid` with the first line that is wrong. */
function checkYaml(text: string, path: string): void {
  const { documents, findings } = parseDocuments(text, path);
  if (findings[0]) throw descriptorInvalid(findings[0].where, undefined, findings[0].message);
  if (documents.length === 0) throw descriptorInvalid(path, 1, "it is empty");
}

/** Entities as the catalog takes them from a repository. Throws `ci.descriptor_invalid` with all that is wrong. */
async function checkEntities(text: string, path: string): Promise<void> {
  const { documents, findings } = parseDocuments(text, path);
  if (findings.length === 0)
    findings.push(
      ...(await checkDocuments(documents, REPOSITORY_KINDS)).findings.map((one) => ({ ...one, where: `${path}, ${one.where}` })),
    );
  if (documents.length === 0 && findings.length === 0) throw descriptorInvalid(path, 1, "it is empty");
  if (findings.length > 0) throw descriptorInvalid(path, undefined, findings.map((one) => `${one.where}: ${one.message}`).join("; "));
}

async function textOf(folder: string, path: string): Promise<string | undefined> {
  const stat = await lstat(join(folder, path)).catch(() => undefined);
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw descriptorInvalid(path, undefined, "it is not a plain file");
  if (stat.size > MAX_BYTES) throw descriptorInvalid(path, undefined, "it is larger than 1 MiB");
  return readFile(join(folder, path), "utf8");
}

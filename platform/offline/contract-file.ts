import { checkDocuments, parseDocuments, REPOSITORY_KINDS } from "../catalog/descriptor.ts";
import type { Entity } from "../catalog/model.ts";
import { parseContract } from "../ci/contract-file.ts";
import { parseScore } from "../infra/intent.ts";
import { messageOf } from "../kernel/faults.ts";
import { readSlos } from "../observability/openslo.ts";

/** Why a repository's own descriptor can't be that of this service; undefined where it can, and for every file that the platform does not read so. */
export async function whyUnusable(path: string, text: string, of: { service: string; owner: string }): Promise<string | undefined> {
  try {
    if (path === "cairn.yaml") parseContract(text);
    if (path === "score.yaml") {
      const name = parseScore(text).metadata.name;
      if (name !== of.service) return `it is of ${name}`;
    }
    if (path === "slo.yaml") {
      const { slos, problems } = readSlos(text, of.service);
      if (problems[0]) return problems[0].because;
      if (slos.length === 0) return "it holds no objective of the service";
    }
    if (path === "catalog-info.yaml") return await whyNotIts(text, of);
  } catch (error) {
    return messageOf(error);
  }
  return undefined;
}

async function whyNotIts(text: string, { service, owner }: { service: string; owner: string }): Promise<string | undefined> {
  const { documents, findings } = parseDocuments(text);
  const checked = await checkDocuments(documents, REPOSITORY_KINDS);
  const finding = [...findings, ...checked.findings][0];
  if (finding) return finding.message;
  const component = checked.entities.find(({ kind }: Entity) => kind === "Component");
  if (!component) return "it holds no Component";
  if (component.metadata.name !== service) return `it describes ${component.metadata.name}`;
  const named = String(component.spec?.owner).replace(/^(group:)?(default\/)?/, "");
  return named === owner ? undefined : `it names ${named} as owner`;
}

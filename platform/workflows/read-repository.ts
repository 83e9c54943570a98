import { z } from "zod";
import { ONCALL_ANNOTATION, TIER_LABEL, Tier, type Entity } from "../catalog/model.ts";
import { Contract } from "../ci/contract.ts";
import { parseScore, type Intent } from "../infra/intent.ts";
import type { PatchFile } from "../infra/patches.ts";
import { messageOf } from "../kernel/faults.ts";
import { NotYaml, yamlDocuments } from "../kernel/yaml.ts";

/** What a repository says of its service at one commit. A part that is missing or broken is null, and `problems` says why. */
export interface RepositoryFacts {
  documents: Entity[];
  /** The Component among the documents. */
  component: Entity | null;
  name: string | null;
  owner: string | null;
  tier: Tier;
  lifecycle: string;
  intent: Intent | null;
  contract: Contract | null;
  slo: { present: boolean; edited: boolean; slowSeconds: number };
  runbook: { present: boolean; edited: boolean };
  alertRoute: { present: boolean };
  onCall: { rotation: string | null };
  /** Merge patches of k8s/, by file name. */
  patches: { path: string; text: string }[];
  problems: { file: string; message: string }[];
}

/** Where Alertmanager's route lies. */
export const ALERT_ROUTE = "observability/alertmanager-route.yaml";
const PLACEHOLDER = "cairn.dev/placeholder";
/** Files of k8s/ that are read. */
const MOST_PATCHES = 100;
/** The slow-request threshold where slo.yaml names none. */
const DEFAULT_SLOW_SECONDS = 0.3;

/** Reads the descriptor, the intent, the contract and what operations need, from a plan's files or from a commit alike. */
export async function readRepository(
  paths: readonly string[],
  read: (path: string) => Promise<string | undefined>,
): Promise<RepositoryFacts> {
  const problems: RepositoryFacts["problems"] = [];
  const attempt = async <T>(file: string, parse: (text: string) => T): Promise<T | null> => {
    try {
      const text = await read(file);
      if (text !== undefined) return parse(text);
      problems.push({ file, message: "is missing" });
      return null;
    } catch (error) {
      problems.push({ file, message: messageOf(error) });
      return null;
    }
  };
  const documents = await attempt("catalog-info.yaml", entitiesOf);
  const component = documents?.find((document) => document?.kind === "Component") ?? null;
  if (documents && !component) problems.push({ file: "catalog-info.yaml", message: "holds no Component" });
  const intent = await attempt("score.yaml", parseScore);
  const contract = await attempt("cairn.yaml", (text) => Contract.parse(yamlDocuments(text)[0]));
  /** A file that may be missing; one that can't be read is told, and counts as missing. */
  const optional = async (file: string): Promise<string | undefined> => {
    try {
      return await read(file);
    } catch (error) {
      problems.push({ file, message: messageOf(error) });
      return undefined;
    }
  };
  const slo = await sloFacts(await optional("slo.yaml"));
  const runbook = await optional("docs/runbook.md");
  const alertRoute = { present: routesAlerts(await optional(ALERT_ROUTE)) };
  const patches: PatchFile[] = [];
  for (const path of paths.filter((one) => /^k8s\/[^/]+\.ya?ml$/.test(one)).slice(0, MOST_PATCHES))
    patches.push({ path, text: (await optional(path)) ?? "" });
  const tier = Tier.safeParse(component?.metadata.labels?.[TIER_LABEL]);
  return {
    documents: documents ?? [],
    component,
    name: component?.metadata.name ?? null,
    owner: typeof component?.spec?.owner === "string" ? component.spec.owner : null,
    tier: tier.data ?? "tier-3",
    lifecycle: typeof component?.spec?.lifecycle === "string" ? component.spec.lifecycle : "experimental",
    intent,
    contract,
    slo,
    runbook: { present: runbook !== undefined, edited: runbook !== undefined && !runbook.includes(PLACEHOLDER) },
    alertRoute,
    onCall: { rotation: component?.metadata.annotations?.[ONCALL_ANNOTATION] ?? null },
    patches,
    problems,
  };
}

/** What at least has the outline of entities; whether they are right the catalog says. */
function entitiesOf(text: string): Entity[] {
  const documents = yamlDocuments(text).filter((document) => document !== null);
  const at = documents.findIndex((document) => !Outline.safeParse(document).success);
  if (at >= 0) throw new NotYaml(`document ${at + 1} is no entity: a map with kind and metadata.name`);
  return documents as Entity[];
}

const Outline = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    labels: z.record(z.string(), z.unknown()).optional(),
    annotations: z.record(z.string(), z.unknown()).optional(),
  }),
});

/** Whether Alertmanager would know from it where to send an alert: a route, and the receivers that it names. */
export function routesAlerts(text: string | undefined): boolean {
  if (text === undefined) return false;
  try {
    const [file] = yamlDocuments(text) as { route?: { receiver?: unknown }; receivers?: { name?: unknown }[] }[];
    const receiver = file?.route?.receiver;
    return typeof receiver === "string" && Array.isArray(file?.receivers) && file.receivers.some((one) => one?.name === receiver);
  } catch {
    return false;
  }
}

/** The Component of a catalog-info.yaml; null where there is none, or it can't be read. */
export function componentOf(text: string): Entity | null {
  try {
    return entitiesOf(text).find((document) => document.kind === "Component") ?? null;
  } catch {
    return null;
  }
}

/** The service level objectives: whether there are any, whether somebody has made them their own, and from when on a request is slow. */
function sloFacts(text: string | undefined): RepositoryFacts["slo"] {
  if (text === undefined) return { present: false, edited: false, slowSeconds: DEFAULT_SLOW_SECONDS };
  let slow = DEFAULT_SLOW_SECONDS;
  let edited = true;
  try {
    for (const document of yamlDocuments(text) as { kind?: string; metadata?: { annotations?: Record<string, string> } }[]) {
      const annotations = document?.metadata?.annotations ?? {};
      if (annotations[PLACEHOLDER] === "true") edited = false;
      const threshold = Number(annotations["cairn.dev/latency-threshold-seconds"]);
      if (threshold > 0) slow = threshold;
    }
  } catch {
    return { present: false, edited: false, slowSeconds: DEFAULT_SLOW_SECONDS };
  }
  return { present: true, edited, slowSeconds: slow };
}

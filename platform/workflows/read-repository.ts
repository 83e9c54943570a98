import { parseAllDocuments } from "yaml";
import { ONCALL_ANNOTATION, TIER_LABEL, Tier, type Entity } from "../catalog/model.ts";
import { Contract } from "../ci/contract.ts";
import { parseScore, type Intent } from "../infra/intent.ts";
import { messageOf } from "../kernel/faults.ts";

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

const PLACEHOLDER = "cairn.dev/placeholder";
/** The slow-request threshold where slo.yaml names none. */
const DEFAULT_SLOW_SECONDS = 0.3;

/** Reads the descriptor, the intent, the contract and what operations need, from a plan's files or from a commit alike. */
export async function readRepository(
  paths: readonly string[],
  read: (path: string) => Promise<string | undefined>,
): Promise<RepositoryFacts> {
  const problems: RepositoryFacts["problems"] = [];
  const attempt = async <T>(file: string, parse: (text: string) => T): Promise<T | null> => {
    const text = await read(file);
    if (text === undefined) {
      problems.push({ file, message: "is missing" });
      return null;
    }
    try {
      return parse(text);
    } catch (error) {
      problems.push({ file, message: messageOf(error) });
      return null;
    }
  };
  const documents = (await attempt("catalog-info.yaml", yamlDocuments)) as Entity[] | null;
  const component = documents?.find((document) => document?.kind === "Component") ?? null;
  if (documents && !component) problems.push({ file: "catalog-info.yaml", message: "holds no Component" });
  const intent = await attempt("score.yaml", parseScore);
  const contract = await attempt("cairn.yaml", (text) => Contract.parse(yamlDocuments(text)[0]));
  const slo = await sloFacts(await read("slo.yaml"));
  const runbook = await read("docs/runbook.md");
  const alertRoute = { present: routesAlerts(await read("observability/alertmanager-route.yaml")) };
  const patches = await Promise.all(
    paths.filter((path) => /^k8s\/[^/]+\.ya?ml$/.test(path)).map(async (path) => ({ path, text: (await read(path)) ?? "" })),
  );
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

/** Whether Alertmanager would know from it where to send an alert: a route, and the receivers that it names. */
function routesAlerts(text: string | undefined): boolean {
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
    return (yamlDocuments(text) as Entity[]).find((document) => document?.kind === "Component") ?? null;
  } catch {
    return null;
  }
}

function yamlDocuments(text: string): unknown[] {
  const documents = parseAllDocuments(text, { maxAliasCount: 50 } as never);
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return document.toJS({ maxAliasCount: 50 }) as unknown;
  });
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

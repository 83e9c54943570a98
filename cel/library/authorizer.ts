import { CelError, Opaque, type Value } from "../values/values.ts";
import { overloadsOf, type Overload } from "../check/functions.ts";

/** What an expression asks: may this account do that? Either a path, or a resource. */
export interface AuthorizationRequest {
  verb: string;
  /** "system:serviceaccount:NAMESPACE:NAME"; undefined is whoever sent the request. */
  serviceAccount?: string;
  path?: string;
  group?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  fieldSelector?: string;
  labelSelector?: string;
}

export interface AuthorizationDecision {
  allowed: boolean;
  reason?: string;
  error?: string;
}

export type Authorize = (request: AuthorizationRequest) => AuthorizationDecision;

const prefix = "kubernetes.authorization";

/** One step of a question: the authorizer itself, a path, a group or a resource. */
class Check extends Opaque {
  readonly typeName: string;
  readonly request: Omit<AuthorizationRequest, "verb">;
  readonly authorize: Authorize | undefined;
  constructor(
    kind: "Authorizer" | "PathCheck" | "GroupCheck" | "ResourceCheck",
    request: Omit<AuthorizationRequest, "verb">,
    authorize: Authorize | undefined,
  ) {
    super();
    this.typeName = `${prefix}.${kind}`;
    this.request = request;
    this.authorize = authorize;
  }
  equals(other: Opaque): boolean {
    return this === other;
  }
  override toString(): string {
    return this.typeName;
  }
}

class Decision extends Opaque {
  readonly typeName = `${prefix}.Decision`;
  readonly decision: AuthorizationDecision;
  constructor(decision: AuthorizationDecision) {
    super();
    this.decision = decision;
  }
  equals(other: Opaque): boolean {
    return this === other;
  }
  override toString(): string {
    return this.decision.allowed ? "allowed" : "not allowed";
  }
}

/**
 * The value of a variable `authorizer` (type kubernetes.authorization.Authorizer). Without a function that answers, as outside of an
 * admission webhook, every check() is an error that says so: never a silent no.
 */
export const authorizer = (authorize?: Authorize): Value => new Check("Authorizer", {}, authorize);

export const notEvaluable = "not evaluable here: only a Kubernetes API server knows what the requester may do";

const extend =
  (kind: "Authorizer" | "PathCheck" | "GroupCheck" | "ResourceCheck", field: keyof AuthorizationRequest) =>
  ([check, value]: readonly Value[]): Value => {
    const { request, authorize } = check as Check;
    return new Check(kind, { ...request, [field]: value as string }, authorize);
  };

function serviceAccount([check, namespace, name]: readonly Value[]): Value {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace as string) || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name as string))
    return new CelError(`Invalid service account name ${JSON.stringify(`${String(namespace)}/${String(name)}`)}`);
  return new Check(
    "Authorizer",
    { serviceAccount: `system:serviceaccount:${String(namespace)}:${String(name)}` },
    (check as Check).authorize,
  );
}

function ask([check, verb]: readonly Value[]): Value {
  const { request, authorize } = check as Check;
  if (!authorize) return new CelError(notEvaluable);
  try {
    return new Decision(authorize({ ...request, verb: verb as string }));
  } catch (fault) {
    return new Decision({ allowed: false, error: fault instanceof Error ? fault.message : String(fault) });
  }
}

const decided =
  (read: (decision: AuthorizationDecision) => Value) =>
  ([decision]: readonly Value[]): Value =>
    read((decision as Decision).decision);
const [authorizerType, pathType, groupType, resourceType, decisionType] = [
  "Authorizer",
  "PathCheck",
  "GroupCheck",
  "ResourceCheck",
  "Decision",
].map((kind) => `${prefix}.${kind}`);

/** Kubernetes' authorizer library. */
export const authorizerFunctions = (): Overload[] =>
  overloadsOf([
    ["authorizer_path", `<${authorizerType}>.path(string) -> ${pathType}`, extend("PathCheck", "path")],
    ["authorizer_group", `<${authorizerType}>.group(string) -> ${groupType}`, extend("GroupCheck", "group")],
    ["authorizer_serviceaccount", `<${authorizerType}>.serviceAccount(string, string) -> ${authorizerType}`, serviceAccount],
    ["groupcheck_resource", `<${groupType}>.resource(string) -> ${resourceType}`, extend("ResourceCheck", "resource")],
    ["resourcecheck_subresource", `<${resourceType}>.subresource(string) -> ${resourceType}`, extend("ResourceCheck", "subresource")],
    ["resourcecheck_namespace", `<${resourceType}>.namespace(string) -> ${resourceType}`, extend("ResourceCheck", "namespace")],
    ["resourcecheck_name", `<${resourceType}>.name(string) -> ${resourceType}`, extend("ResourceCheck", "name")],
    ["pathcheck_check", `<${pathType}>.check(string) -> ${decisionType}`, ask],
    ["resourcecheck_check", `<${resourceType}>.check(string) -> ${decisionType}`, ask],
    ["decision_allowed", `<${decisionType}>.allowed() -> bool`, decided(({ allowed }) => allowed)],
    ["decision_reason", `<${decisionType}>.reason() -> string`, decided(({ reason }) => reason ?? "")],
    ["decision_errored", `<${decisionType}>.errored() -> bool`, decided(({ error }) => error !== undefined)],
    ["decision_error", `<${decisionType}>.error() -> string`, decided(({ error }) => error ?? "")],
  ]);

/** What Kubernetes 1.31 adds. */
export const authorizerSelectors = (): Overload[] =>
  overloadsOf([
    ["authorizer_fieldselector", `<${resourceType}>.fieldSelector(string) -> ${resourceType}`, extend("ResourceCheck", "fieldSelector")],
    ["authorizer_labelselector", `<${resourceType}>.labelSelector(string) -> ${resourceType}`, extend("ResourceCheck", "labelSelector")],
  ]);

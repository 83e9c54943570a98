/** Kubernetes' Common Expression Language for JavaScript: see README.md. */
export { environment, type Environment, type EnvironmentOptions, type HostFunction } from "./environment.ts";
export { defaultBudget, type EvaluateOptions, type Outcome, type Program } from "./program.ts";
export { CompileError, type Issue, type Place } from "./syntax/ast.ts";
export { lazy } from "./run/scope.ts";
export { print } from "./syntax/print.ts";
export { toPlain } from "./values/plain.ts";
export type { CostEstimate } from "./cost/estimate.ts";
export type { Explained } from "./run/explain.ts";
export type { Value } from "./values/values.ts";
export { schemaType, type Schema, type SchemaOptions } from "./schema/schema-type.ts";
export { authorizer, type AuthorizationDecision, type AuthorizationRequest, type Authorize } from "./library/authorizer.ts";
export { Type } from "./check/types.ts";

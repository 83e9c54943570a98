import { Fault } from "../kernel/faults.ts";

export const intentInvalid = (path: string, why: string) =>
  new Fault(
    "invalid",
    "infra.intent_invalid",
    `score.yaml: ${path}: ${why}`,
    "Correct score.yaml; its format is Score v1b1 (https://docs.score.dev).",
    { path },
  );

export const placeholderUnknown = (path: string, placeholder: string, known: readonly string[]) =>
  new Fault(
    "invalid",
    "infra.placeholder_unknown",
    `score.yaml: ${path}: nothing gives ${placeholder}`,
    known.length > 0 ? `There is: ${known.join(", ")}.` : "Declare the resource under resources.",
    {
      path,
    },
  );

export const moduleUnknown = (resource: string, type: string, known: readonly string[]) =>
  new Fault(
    "invalid",
    "infra.module_unknown",
    `score.yaml: resources.${resource}.type: no module provides ${type}`,
    `There are modules for: ${known.join(", ")}.`,
    { resource, type },
  );

export const patchInvalid = (path: string, why: string) =>
  new Fault(
    "invalid",
    "infra.patch_invalid",
    `${path}: ${why}`,
    "Correct the patch: kind, metadata.name and what differs. k8s/README.md says how.",
    { path },
  );

export const priceListInvalid = (path: string, why: string) =>
  new Fault("failed", "infra.price_list_invalid", `${path}: ${why}`, "Correct the price list.", { path });

export const planStale = (address: string, why: string) =>
  new Fault("precondition", "infra.plan_stale", `${address}: ${why}`, "Make a new plan: it shows what has changed since.", { address });

export const nameTaken = (what: string, name: string) =>
  new Fault(
    "conflict",
    "infra.name_taken",
    `The PostgreSQL server already has a ${what} ${name} that this platform did not make for this service`,
    "Rename or remove it there, or choose another service name.",
    {
      name,
    },
  );

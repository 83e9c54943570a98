import { Fault } from "../kernel/faults.ts";
import type { Finding } from "./model.ts";

/** `heldBy` says who has the name: an owner, and the repository where one claims it. */
export const serviceNameTaken = (name: string, held: { owner: string; repository: string | null }) =>
  new Fault(
    "conflict",
    "catalog.service_name_taken",
    `Service ${name} already exists`,
    `It belongs to ${held.owner}${held.repository ? ` and is described in repository ${held.repository}` : ""}: choose another name, or ask them to transfer it.`,
    { heldBy: held.owner },
  );

export const serviceNotFound = () =>
  new Fault(
    "not_found",
    "catalog.service_not_found",
    "Service not found",
    "GET /services lists all; register it with POST /services, or create it from a golden path.",
  );

export const entityNotFound = (ref: string) =>
  new Fault(
    "not_found",
    "catalog.entity_not_found",
    `No entity ${ref} in the catalog`,
    "Check kind, namespace and name; GET /api/catalog/entities lists all.",
    {
      // What Backstage's clients read of an error.
      error: { name: "NotFoundError", message: `No entity ${ref} in the catalog` },
      response: { statusCode: 404 },
    },
  );

export const nameHeld = (ref: string, repository: string, held: { repository: string | null; owner: string }) =>
  new Fault(
    "conflict",
    "catalog.name_held",
    `${repository} claims ${ref}, which ${held.repository ? `repository ${held.repository} describes` : "is promised to another plan"}`,
    `It belongs to ${held.owner}. Choose another name in catalog-info.yaml; or, to move it, remove it there first.`,
    { ref, heldBy: held.repository ?? held.owner },
  );

export const descriptorInvalid = (what: string, findings: readonly Finding[]) => {
  const first = findings[0];
  return new Fault(
    "invalid",
    "catalog.descriptor_invalid",
    `${what}: ${first ? `${first.where}: ${first.message}` : "no entity in it"}${findings.length > 1 ? ` (and ${findings.length - 1} more)` : ""}`,
    "Correct it; the format is Backstage's descriptor format.",
    { findings },
  );
};

/** `suggested` is the name made of what was given, where one can be. */
export const teamNameRefused = (name: string, suggested: string) =>
  new Fault(
    "invalid",
    "catalog.team_name_refused",
    `${JSON.stringify(name)} is no name for a team`,
    `Lower-case letters, digits, and hyphens between them${suggested ? `, such as ${suggested}` : ""}; what people read is its title.`,
  );

export const queryInvalid = (what: string) =>
  new Fault("invalid", "catalog.query_invalid", what, "See the format of filters and predicates in Backstage's catalog API.", {
    error: { name: "InputError", message: what },
    response: { statusCode: 422 },
  });

export const ownerUnknown = (name: string, owner: string) =>
  new Fault(
    "precondition",
    "catalog.owner_unknown",
    `${name} has no owner in the catalog: ${owner} is no group there`,
    "Nothing is provisioned without an owner. Create the team (portal, POST /api/catalog/groups), or correct the owner in catalog-info.yaml.",
    { owner },
  );

export const groupOwns = (name: string, refs: readonly string[]) =>
  new Fault(
    "conflict",
    "catalog.group_owns",
    `Team ${name} owns ${refs.join(", ")}`,
    "Name another owner in their catalog-info.yaml first (a change request each), then remove the team.",
    { owns: refs },
  );

export const groupExists = (name: string) =>
  new Fault(
    "conflict",
    "catalog.group_exists",
    `Team ${name} already exists`,
    "Choose another name, or change its members by loading the organisation.",
  );

export const dependsOnItself = (name: string) =>
  new Fault("invalid", "catalog.depends_on_itself", `Service ${name} can't depend on itself`, "Name another service as target_service.");

export const sourceDiffers = (named: string, path: string) =>
  new Fault(
    "invalid",
    "catalog.source_differs",
    `source_service is ${named}, the path says ${path}`,
    "Leave source_service out, or name the same service.",
  );

export const dependencyExists = (source: string, target: string) =>
  new Fault(
    "conflict",
    "catalog.dependency_exists",
    `Service ${source} already depends on ${target}`,
    "To change its type, remove the dependency first.",
  );

export const dependencyNotFound = (source: string, target: string) =>
  new Fault(
    "not_found",
    "catalog.dependency_not_found",
    `Service ${source} does not depend on ${target}`,
    "GET /api/catalog/service-views/{name} lists its dependencies.",
  );

export const dependencyDeclared = (source: string, target: string) =>
  new Fault(
    "conflict",
    "catalog.dependency_declared",
    `The descriptor of ${source} declares that it depends on ${target}`,
    "Remove it from dependsOn in its catalog-info.yaml.",
  );

import { createHash } from "node:crypto";

/** The namespace of a service in an environment; a name over Kubernetes' 63 characters is cut and ends in its hash, so that two never become one. */
export function namespaceOf(service: string, environment: string): string {
  const whole = `${service}-${environment}`;
  return whole.length <= 63 ? whole : `${whole.slice(0, 54)}-${createHash("sha256").update(whole).digest("hex").slice(0, 8)}`;
}

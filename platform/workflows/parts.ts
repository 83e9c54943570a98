import type { Ci } from "../ci/contract.ts";
import type { Forge } from "../forge/contract.ts";
import type { Infra } from "../infra/contract.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { Db } from "../kernel/sql.ts";
import type { Bundle } from "../policy/bundle.ts";
import type { Environments } from "../releases/environments.ts";
import type { SignAdmission } from "../runtime/admission.ts";
import type { Runtime } from "../runtime/contract.ts";

/** What the workflows work with. The server builds the real ones; a test of one workflow may put another in the place of one. */
export interface Parts {
  db: Db;
  clock: Clock;
  log: Log;
  forge: Forge;
  ci: Ci;
  infra: Infra;
  runtime: Runtime;
  /** Signs, with the platform's key, what the runtime is to start. */
  signAdmission: SignAdmission;
  /** The rules of library/policies. */
  policies: Bundle;
  /** The environments and tiers of library/environments. */
  environments: Environments;
  /** Folder of the golden paths. */
  goldenPaths: string;
  /** Where the portal lies. */
  publicUrl: string;
}

import { Fault } from "../kernel/faults.ts";

export const planMissing = (digest: string) =>
  new Fault("not_found", "plans.missing", `No plan has the digest ${digest}`, "Check the digest, or make the plan anew.");

export const planStale = (digest: string, differing: readonly string[]) =>
  new Fault(
    "conflict",
    "plans.stale",
    `Plan ${digest.slice(0, 19)} was made on a basis that no longer holds: ${differing.join(", ")} changed since`,
    "Nothing was changed. Make the plan anew, look at what is different, and apply that one.",
    { differing },
  );

export const planNeedsNoApproval = (digest: string) =>
  new Fault(
    "conflict",
    "plans.needs_no_approval",
    `Plan ${digest.slice(0, 19)} needs no approval`,
    "Nothing waits for you: the plan says in payload.approval whether it does.",
  );

export const planApplied = (digest: string, run: string | null) =>
  new Fault(
    "conflict",
    "plans.applied",
    `Plan ${digest.slice(0, 19)} has been applied already`,
    `Its run shows what became of it: /runs/${run ?? ""}`,
  );

export const planDenied = (digest: string, reasons: readonly string[]) =>
  new Fault(
    "forbidden",
    "plans.denied",
    `Plan ${digest.slice(0, 19)} is denied by policy: ${reasons.join("; ")}`,
    "Each denied rule of the plan says how to meet it. Then make the plan anew.",
    {
      reasons,
    },
  );

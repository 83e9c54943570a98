import type { KeyObject } from "node:crypto";
import type { Clock } from "@cairn/platform/kernel/clock.ts";
import type { Fault } from "@cairn/platform/kernel/faults.ts";
import { newId } from "@cairn/platform/kernel/ids.ts";
import type { Log } from "@cairn/platform/kernel/log.ts";
import { readAdmission, readLift, type Admission } from "@cairn/platform/runtime/admission.ts";
import { liftRefused, notAdmitted, quarantined } from "../faults.ts";
import type { Attempt, Quarantined, RevisionSpec, TargetName } from "../model.ts";

export interface GateParts {
  clock: Clock;
  log: Log;
  /** The platform's public key; undefined as long as none is known. */
  key: () => KeyObject | undefined;
}

type Checked = { admission: Admission } | { because: string };

/** An admission starts something new for this long: one that lay about can't bring back what was retired. A revision that the journal knows starts again under its own, however old. */
const FRESH_SECONDS = 600;
/** The machine's clock may have been set back a little in between. */
const AHEAD_SECONDS = 60;
const MOST_ATTEMPTS = 200;

/** Decides what may start here: what the platform signed for, as long as its bytes are not quarantined. It needs nobody to be asked. */
export class Gate {
  readonly #parts: GateParts;
  readonly #quarantine = new Map<string, Quarantined>();
  #attempts: Attempt[] = [];
  /** What a revision's admission was found to be: a signature is verified once for each that comes in or is read from the journal. */
  readonly #checked = new WeakMap<RevisionSpec, { service: string; environment: string; found: Checked }>();

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  /** Takes up what the journal kept. */
  load(kept: { quarantine?: Quarantined[] | undefined; attempts?: Attempt[] | undefined }): void {
    for (const one of kept.quarantine ?? []) this.#quarantine.set(one.artifact, one);
    this.#attempts = [...(kept.attempts ?? [])];
  }

  /** What the journal is to keep. */
  kept(): { quarantine: Quarantined[]; attempts: Attempt[] } {
    return { quarantine: this.quarantine(), attempts: this.#attempts };
  }

  quarantine(): Quarantined[] {
    return [...this.#quarantine.values()];
  }

  /** What was tried without leave, the oldest first; the last 200. */
  attempts(): Attempt[] {
    return this.#attempts;
  }

  /** Bars a digest from starting, from now on. Twice is once. */
  bar(artifact: string, because: string): void {
    if (this.#quarantine.has(artifact)) return;
    this.#quarantine.set(artifact, { artifact, because, since: this.#parts.clock.now().toISOString() });
    this.#parts.log.warn({ artifact, because }, "quarantined");
  }

  /** Lets a digest start again, as the platform signed after it was barred. Throws `runtime.lift_refused`. */
  lift(artifact: string, envelope: unknown): void {
    const barred = this.#quarantine.get(artifact);
    if (!barred) return;
    const key = this.#parts.key();
    const read = key ? readLift(envelope, key) : { because: NO_KEY };
    const why =
      "because" in read
        ? read.because
        : read.lift.artifact !== artifact
          ? `it is for ${read.lift.artifact}`
          : Date.parse(read.lift.issuedAt) >= Date.parse(barred.since)
            ? undefined
            : `it was signed before ${artifact} was quarantined`;
    if (why !== undefined) throw this.#refused("lift a quarantine", undefined, undefined, liftRefused(artifact, why));
    this.#quarantine.delete(artifact);
    this.#parts.log.warn({ artifact }, "the quarantine was lifted");
  }

  /** Why bytes may not start now; undefined where they may. */
  isBarred(artifact: string): string | undefined {
    return this.#quarantine.get(artifact)?.because;
  }

  /** Lets a new revision in, or says why not: throws `runtime.not_admitted` or `runtime.quarantined`, and keeps the attempt. */
  admit(target: TargetName, spec: RevisionSpec): Admission {
    const found = this.check(target, spec);
    if ("because" in found) throw this.refuse("start a revision", target, spec.id, found.because);
    const age = (this.#parts.clock.now().getTime() - Date.parse(found.admission.issuedAt)) / 1000;
    if (age > FRESH_SECONDS || age < -AHEAD_SECONDS)
      throw this.refuse(
        "start a revision",
        target,
        spec.id,
        `its admission was issued at ${found.admission.issuedAt}, and starts something new for ${FRESH_SECONDS / 60} minutes`,
      );
    const because = this.isBarred(spec.artifact.digest);
    if (because !== undefined)
      throw this.#refused("start a revision", target, spec.id, quarantined(target, spec.id, spec.artifact.digest, because));
    return found.admission;
  }

  /** The admission that a revision bears, whatever its age; why it has none. */
  check({ service, environment }: TargetName, spec: RevisionSpec): Checked {
    const known = this.#checked.get(spec);
    if (known?.service === service && known.environment === environment) return known.found;
    const key = this.#parts.key();
    if (!key) return { because: NO_KEY };
    const found = readAdmission(spec.admission, { ...spec, target: { service, environment } }, key);
    this.#checked.set(spec, { service, environment, found });
    return found;
  }

  /** Keeps an attempt at what was not admitted, and gives the refusal. */
  refuse(operation: string, target: TargetName, revision: string, because: string): Fault {
    return this.#refused(operation, target, revision, notAdmitted(target, revision, because));
  }

  #refused(operation: string, target: TargetName | undefined, revision: string | undefined, fault: Fault): Fault {
    const { clock, log } = this.#parts;
    const at = clock.now();
    const attempt: Attempt = {
      id: newId("att", clock),
      at: at.toISOString(),
      operation,
      service: target?.service ?? null,
      environment: target?.environment ?? null,
      revision: revision ?? null,
      code: fault.code,
      because: fault.message,
    };
    this.#attempts = [...this.#attempts.slice(1 - MOST_ATTEMPTS), attempt];
    log.warn(attempt, "refused");
    return fault;
  }
}

const NO_KEY = "this agent does not know the platform's key yet: keys/admission.pub is missing";

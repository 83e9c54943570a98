/** What kind of refusal: decides the HTTP status and the CLI's exit code. */
export type FaultKind =
  | "invalid"
  | "unauthenticated"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "precondition"
  | "too_large"
  | "rate_limited"
  | "unavailable"
  | "failed";

export const httpStatus: Record<FaultKind, number> = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  precondition: 412,
  too_large: 413,
  rate_limited: 429,
  unavailable: 503,
  failed: 500,
};

/**
 * A refusal or failure that a person can act on. `code` is stable (`subject.what_happened`), `message` says what happened and where,
 * `next` what to do about it. Each subject makes its own in its faults.ts; the server turns them into problem details (RFC 9457).
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  readonly code: string;
  readonly next: string;
  /** Further facts for programs, e.g. `{ path, line }`. No secrets. */
  readonly facts: Record<string, unknown>;

  constructor(kind: FaultKind, code: string, message: string, next: string, facts: Record<string, unknown> = {}) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.next = next;
    this.facts = facts;
  }
}

export const isFault = (error: unknown): error is Fault => error instanceof Fault;

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

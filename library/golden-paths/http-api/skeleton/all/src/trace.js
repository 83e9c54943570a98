import { randomBytes } from "node:crypto";

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;

/** The caller's trace, or a new one. Format: W3C Trace Context. */
export function traceOf(traceparent) {
  const found = typeof traceparent === "string" ? TRACEPARENT.exec(traceparent) : null;
  if (found && !/^0+$/.test(found[1]) && !/^0+$/.test(found[2])) return { trace_id: found[1], parent_id: found[2] };
  return { trace_id: randomBytes(16).toString("hex") };
}

import type { Measurement } from "./report.ts";

export const portal: Measurement = async () => [{ what: "portal", unit: "ms", samples: [], missing: "not written" }];

import type { DescriptorChecks } from "../ci/descriptors.ts";

/** What each descriptor's own subject says about it, beyond being YAML. */
export const checks: DescriptorChecks = {};

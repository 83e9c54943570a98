import type { DescriptorChecks } from "../ci/descriptors.ts";
import { parseScore } from "../infra/intent.ts";

/** What lies after CI on the path and still has a word on a repository's descriptors. */
export const checks: DescriptorChecks = { "score.yaml": (text) => void parseScore(text) };

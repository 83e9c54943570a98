import { dim, status } from "./print.ts";

/** A rule's answer, as every surface gives it. */
interface RuleAnswer {
  rule: string;
  outcome: string;
  subject: string;
  message: string;
  fix: string;
  mode: string;
  exceptionsBy: string[];
  relievedBy: string | null;
}

/** What a rule says, of what, what to do, and who could let it pass. */
export function ruleText({ rule, outcome, subject, message, fix, mode, exceptionsBy, relievedBy }: RuleAnswer): string {
  const head = `  ${status(outcome)}  ${rule}: ${message}`;
  if (outcome === "passed") return head;
  const leave =
    relievedBy !== null
      ? `passes all the same by ${relievedBy}`
      : mode !== "enforce"
        ? `${mode} only: it stops nothing`
        : exceptionsBy.length > 0
          ? `an exception may be granted by ${exceptionsBy.join(", ")}`
          : "nobody may grant an exception";
  return [head, dim(`      ${fix}`), dim(`      ${subject}; ${leave}`)].join("\n");
}

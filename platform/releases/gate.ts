import { z } from "zod";
import { groupRef } from "../identity/access.ts";
import type { ApprovalWanted } from "../plans/model.ts";
import type { Gate } from "../policy/break-glass.ts";
import type { Answer } from "./next-move.ts";
import type { TakenBack } from "./taken-back.ts";
import type { Opening } from "./windows.ts";

/** An approval of this very plan, and who its giver is now. */
export interface GivenApproval {
  by: string;
  at: string;
  /** Who made the token that it was given with, where that was somebody else. */
  tokenBy: string | null;
  groups: readonly string[];
  administrator: boolean;
}

/** All that the gate before an environment is decided by. */
export interface GateFacts {
  environment: string;
  plan: string;
  release: string;
  /** Null where the tier asks for none. */
  approval: ApprovalWanted | null;
  approvals: readonly GivenApproval[];
  opening: Opening;
  /** The release that this one goes back to: neither a window nor a freeze keeps a service from the way back. */
  wayBackTo: string | null;
  /** That a person took back before what it brings. */
  takenBack?: TakenBack | null;
  /** What was said to this release while it waited. */
  word?: Answer | null;
  /** Whose the service is, for whom to ask. */
  owner?: string;
  /** Break-glasses that pass a gate now, by gate. */
  passes: Partial<Record<Gate, string>>;
}

export const Held = z
  .object({
    gate: z.enum(["production-approval", "windows", "taken-back"]),
    /** What it waits for. */
    because: z.string(),
    /** Who or what unblocks it. */
    unblockedBy: z.string(),
    /** When it opens by itself; null where it never does, or that is not foreseeable. */
    until: z.coerce.date().nullable(),
  })
  .meta({ id: "Held" });
export type Held = z.infer<typeof Held>;

/** What the gate lets through and by what, or what it waits for. */
export interface GateAnswer {
  heldBy: Held[];
  /** One sentence for each thing by which it is open. */
  openBy: string[];
  /** The break-glasses without which it would wait. */
  passedBy: string[];
}

/** Whether a planned release may begin now. Pure. A break-glass passes what it names, and what would have held it is said. */
export function gateOf(facts: GateFacts): GateAnswer {
  const answer: GateAnswer = { heldBy: [], openBy: [], passedBy: [] };
  const ask = (gate: Gate, held: Held | undefined, openBy: string | undefined) => {
    const pass = facts.passes[gate];
    if (held && pass !== undefined) {
      answer.passedBy.push(pass);
      answer.openBy.push(`${gate}: passed by break-glass ${pass}; it would have waited: ${held.because}`);
    } else if (held) answer.heldBy.push(held);
    else if (openBy !== undefined) answer.openBy.push(openBy);
  };
  if (facts.approval) {
    const objections = facts.approvals.map((given) => ({ by: given.by, objection: approvalObjection(facts.approval!, given) }));
    const counted = objections.find(({ objection }) => objection === undefined);
    const void_ = objections.flatMap(({ by, objection }) => (objection ? [`${by}'s approval does not count: ${objection}`] : []));
    const owner = groupRef(facts.approval.owner);
    ask(
      "production-approval",
      counted
        ? undefined
        : {
            gate: "production-approval",
            because: [`an approval of plan ${facts.plan.slice(0, 19)} by someone other than its author`, ...void_].join("; "),
            unblockedBy: `a member of ${owner} or an administrator, except ${facts.approval.authors.join(", ")}: cairn approve ${facts.release}`,
            until: null,
          },
      counted && `approved by ${counted.by}`,
    );
  }
  const { takenBack, word } = facts;
  if (takenBack && word?.action === "go_on") answer.openBy.push(`${word.by} let it go again: ${word.because}`);
  else if (takenBack)
    answer.heldBy.push({
      gate: "taken-back",
      because: `somebody's word that it may go again: ${takenBack.by} took it back in ${facts.environment} (${takenBack.release}: ${takenBack.because})`,
      unblockedBy: `a merge that gives another artifact, or a member of ${groupRef(facts.owner ?? "")} or an administrator who lets this one go: cairn go-on ${facts.release} -b REASON`,
      until: null,
    });
  const { open, heldBy, opensAt } = facts.opening;
  if (facts.wayBackTo !== null && !open) answer.openBy.push(`windows and freezes don't hold the way back to release ${facts.wayBackTo}`);
  else
    ask(
      "windows",
      open
        ? undefined
        : {
            gate: "windows",
            because: heldBy
              .map(({ kind, name, because }) =>
                kind === "freeze" ? `the end of freeze ${name} (${because})` : `window ${name} (${because})`,
              )
              .join("; "),
            unblockedBy: `${opensAt ? `time: it may begin at ${opensAt.toISOString()}` : "nothing that is known today"}; whoever declared a freeze may end it: cairn windows`,
            until: opensAt,
          },
      undefined,
    );
  return answer;
}

/** Why an approval of a plan does not count, as things are now; undefined where it does. */
export function approvalObjection(
  { owner, authors }: ApprovalWanted,
  { by, tokenBy, groups, administrator }: Pick<GivenApproval, "by" | "tokenBy" | "groups" | "administrator">,
): string | undefined {
  if (by.startsWith("system:")) return "only a person can approve";
  if (authors.includes(by)) return "they took part in what it releases";
  if (tokenBy !== null && authors.includes(tokenBy))
    return `it was given with a token that ${tokenBy} made, who took part in what it releases`;
  if (!administrator && !groups.includes(groupRef(owner))) return `they are not a member of ${groupRef(owner)} now`;
  return undefined;
}

import { VisuallyHidden } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconEye,
  IconGitMerge,
  IconGitPullRequest,
  IconHelpCircle,
  IconHourglass,
  IconLoader2,
  type Icon,
} from "@tabler/icons-react";

type Tone = "good" | "busy" | "warn" | "bad" | "done" | "quiet";
interface Look {
  word?: string;
  icon: Icon;
  tone: Tone;
}

const good: Look = { icon: IconCircleCheck, tone: "good" };
const busy: Look = { icon: IconLoader2, tone: "busy" };
const warning: Look = { icon: IconAlertTriangle, tone: "warn" };
const waiting: Look = { icon: IconHourglass, tone: "warn" };
const pending: Look = { icon: IconCircleDashed, tone: "quiet" };
const off: Look = { icon: IconCircleMinus, tone: "quiet" };
const bad: Look = { icon: IconCircleX, tone: "bad" };
const unsure: Look = { icon: IconHelpCircle, tone: "warn" };
const unknown: Look = { icon: IconHelpCircle, tone: "quiet" };

/** Every status of the product: its word, its sign, its colour. Never colour alone; unknown looks unknown. */
const LOOKS: Record<string, Look> = {
  passed: good,
  success: good,
  promoted: good,
  healthy: good,
  applied: good,
  allow: { ...good, word: "allowed" },
  merged: { icon: IconGitMerge, tone: "done" },
  open: { icon: IconGitPullRequest, tone: "good" },
  warned: warning,
  warn: { ...warning, word: "allowed with warnings" },
  degraded: warning,
  held: waiting,
  waiting,
  running: busy,
  rolling_out: { ...busy, word: "rolling out" },
  rolling_back: { ...busy, tone: "warn", word: "rolling back" },
  starting: busy,
  pending,
  queued: pending,
  planned: pending,
  skipped: off,
  closed: off,
  superseded: off,
  stopped: off,
  met: { ...good, word: "met" },
  missed: { ...bad, word: "missed" },
  failed: bad,
  denied: bad,
  deny: { ...bad, word: "denied" },
  refused: bad,
  unhealthy: bad,
  down: bad,
  rolled_back: { ...bad, word: "rolled back" },
  stale: unsure,
  not_evaluable: { ...unsure, word: "not evaluable" },
  ok: { ...good, word: "within its limit" },
  at_risk: { ...warning, word: "at risk" },
  burning: bad,
  firing: bad,
  idle: { ...off, word: "no requests" },
  unreachable: { ...unsure, word: "can't be reached" },
  acknowledged: { icon: IconEye, tone: "busy" },
  resolved: good,
  incident: { ...bad, word: "open" },
  not_deployed: { ...pending, word: "not deployed" },
  unknown,
};

/** `bare` shows the sign alone, where the word stands beside it or is clear from its place; readers of the screen still hear it. */
export function Status({ of, label, bare }: { of: string; label?: string; bare?: boolean }) {
  const look = LOOKS[of] ?? unknown;
  const word = label ?? look.word ?? of.replaceAll("_", " ");
  return (
    <span className="status" data-status={of} title={bare ? word : undefined}>
      <span className={`tone-${look.tone}${look.icon === IconLoader2 ? " turning" : ""}`}>
        <look.icon size={16} aria-hidden />
      </span>
      {bare ? <VisuallyHidden>{word}</VisuallyHidden> : <span>{word}</span>}
    </span>
  );
}

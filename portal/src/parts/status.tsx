import { Group, Text } from "@mantine/core";
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconHelpCircle,
  IconHourglass,
  IconLoader2,
  type Icon,
} from "@tabler/icons-react";

/** Every status of the product: its word, its sign, its colour. Never colour alone; unknown looks unknown. */
const LOOKS: Record<string, { word?: string; icon: Icon; color: string }> = {
  passed: { icon: IconCircleCheck, color: "teal.8" },
  success: { icon: IconCircleCheck, color: "teal.8" },
  promoted: { icon: IconCircleCheck, color: "teal.8" },
  healthy: { icon: IconCircleCheck, color: "teal.8" },
  merged: { icon: IconCircleCheck, color: "grape.8" },
  allow: { word: "allowed", icon: IconCircleCheck, color: "teal.8" },
  applied: { icon: IconCircleCheck, color: "teal.8" },
  warned: { icon: IconAlertTriangle, color: "orange.8" },
  warn: { word: "warned", icon: IconAlertTriangle, color: "orange.8" },
  degraded: { icon: IconAlertTriangle, color: "orange.8" },
  held: { icon: IconHourglass, color: "orange.8" },
  waiting: { icon: IconHourglass, color: "orange.8" },
  running: { icon: IconLoader2, color: "blue.8" },
  rolling_out: { word: "rolling out", icon: IconLoader2, color: "blue.8" },
  rolling_back: { word: "rolling back", icon: IconLoader2, color: "orange.8" },
  starting: { icon: IconLoader2, color: "blue.8" },
  open: { icon: IconCircleDashed, color: "blue.8" },
  pending: { icon: IconCircleDashed, color: "gray.7" },
  queued: { icon: IconCircleDashed, color: "gray.7" },
  planned: { icon: IconCircleDashed, color: "gray.7" },
  skipped: { icon: IconCircleMinus, color: "gray.7" },
  closed: { icon: IconCircleMinus, color: "gray.7" },
  superseded: { icon: IconCircleMinus, color: "gray.7" },
  stopped: { icon: IconCircleMinus, color: "gray.7" },
  failed: { icon: IconCircleX, color: "red.8" },
  denied: { icon: IconCircleX, color: "red.8" },
  deny: { word: "denied", icon: IconCircleX, color: "red.8" },
  refused: { icon: IconCircleX, color: "red.8" },
  unhealthy: { icon: IconCircleX, color: "red.8" },
  down: { icon: IconCircleX, color: "red.8" },
  rolled_back: { word: "rolled back", icon: IconCircleX, color: "red.8" },
  stale: { icon: IconHelpCircle, color: "orange.8" },
  not_evaluable: { word: "not evaluable", icon: IconHelpCircle, color: "orange.8" },
  unknown: { icon: IconHelpCircle, color: "gray.7" },
};

export function Status({ of, label }: { of: string; label?: string }) {
  const look = LOOKS[of] ?? { icon: IconHelpCircle, color: "gray.7" };
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex" data-status={of}>
      <Text component="span" c={look.color} lh={0} className={look.icon === IconLoader2 ? "turning" : undefined}>
        <look.icon size={16} aria-hidden />
      </Text>
      <Text component="span" size="sm">
        {label ?? look.word ?? of.replaceAll("_", " ")}
      </Text>
    </Group>
  );
}

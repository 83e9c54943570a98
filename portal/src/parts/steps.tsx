import type { Answered } from "@cairn/api";
import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { plain, runPath, sentence } from "./names.ts";
import { span } from "./numbers.ts";
import { Status } from "./status.tsx";

type Step = Answered<"getRun">["steps"][number];

/** A workflow's steps in order; one that waits says for whom or what. */
export function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className="steps panel" aria-live="polite" style={{ paddingBlock: 6 }}>
      {steps.map((step) => (
        <li key={step.name} data-step={step.name}>
          <Status of={step.state} bare />
          <div>
            {step.childRun ? (
              <Anchor component={Link} to={runPath(step.childRun)} size="sm">
                {sentence(step.name)}
              </Anchor>
            ) : (
              <Text c={step.state === "pending" ? "dimmed" : undefined}>{sentence(step.name)}</Text>
            )}
            <Text size="xs" c="dimmed" className="anywhere">
              {step.waitsFor ? `Waits for ${plain(step.waitsFor)}` : <Detail text={step.detail} />}
              {step.attempts > 1 && ` ${step.attempts} attempts.`}
              {step.rounds > 1 && ` Round ${step.rounds}.`}
            </Text>
          </div>
          <Text size="xs" c="dimmed" className="number nowrap">
            {duration(step)}
          </Text>
        </li>
      ))}
    </ol>
  );
}

/** A detail that is the address of a page is a link. */
function Detail({ text }: { text: string }) {
  if (!text.startsWith("/")) return plain(text);
  return (
    <Anchor component={Link} to={text} size="xs">
      {text.startsWith("/ci-runs/") ? "CI run with its log" : text}
    </Anchor>
  );
}

function duration({ startedAt, endedAt }: Step): string {
  if (!startedAt || !endedAt) return "";
  return span((Date.parse(endedAt) - Date.parse(startedAt)) / 1000);
}

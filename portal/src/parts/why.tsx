import { Paper, Stack, Text } from "@mantine/core";
import { Fragment } from "react";
import { api, useAnswer } from "../api.ts";
import { Command } from "./command.tsx";
import { plain, sentence } from "./names.ts";
import { Status } from "./status.tsx";
import { Instant } from "./time.tsx";

const STATUS = { waits: "waiting", under_way: "running", refused: "refused", failed: "failed", done: "success" } as const;
const SHOWN = 6;

/** Asked for by the page too, where the answer stands high on it. */
export const useWhy = (subject: string) =>
  useAnswer(["why", subject], () => api.GET("/api/why", { params: { query: { subject } } }), { refetchInterval: 5000, keep: true });

/**
 * What a thing waits for or was refused by, which fact says so, and who or which command unblocks it. Nothing where nothing is open. `beside` is a kind of fact that the page itself shows
 * already.
 */
export function Why({ of: subject, beside }: { of: string; beside?: string }) {
  const { data } = useWhy(subject);
  if (!data || (data.state === "done" && data.because.length === 0)) return null;
  const { state, summary, unblock, until } = data;
  const because = data.because.filter(({ kind }) => kind !== beside);
  return (
    <Paper withBorder p="md" component="section" aria-label="Why">
      <Stack gap="xs">
        <Text fw={600} component="div">
          <Status of={STATUS[state]} bare /> {sentence(summary)}
        </Text>
        {until && (
          <Text c="dimmed">
            It goes on by itself at <Instant at={until} />.
          </Text>
        )}
        {because.length > 0 && (
          <dl className="why">
            {because.slice(0, SHOWN).map(({ kind, name, says }) => (
              <Fragment key={`${kind} ${name} ${says}`}>
                <dt>{plain(name)}</dt>
                <dd>{sentence(says)}</dd>
              </Fragment>
            ))}
          </dl>
        )}
        {because.length > SHOWN && <Text c="dimmed">and {because.length - SHOWN} more</Text>}
        {unblock.length > 0 && <Text fw={500}>{state === "waits" || state === "under_way" ? "What unblocks it" : "What to do"}</Text>}
        {unblock.map(({ who, what, command }) => (
          <div key={`${who} ${what} ${command ?? ""}`}>
            <Text component="span">
              {sentence(who)}: {plain(what)}
            </Text>
            {command && <Command text={command} />}
          </div>
        ))}
      </Stack>
    </Paper>
  );
}

/** In one line what a run waits for, and who unblocks it; until that is known, its step. */
export function WhyLine({ of: subject, step }: { of: string; step: string | null }) {
  const { data } = useWhy(subject);
  const first = data?.unblock[0];
  if (!data) return step;
  return `${sentence(data.summary)}${first && !data.summary.includes(first.who) ? ` Unblocked by: ${plain(first.who)}.` : ""}`;
}

import { Group, Stack, Text } from "@mantine/core";
import { nameOf, plain } from "./names.ts";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";

interface Result {
  rule: string;
  outcome: string;
  subject: string;
  message: string;
  fix: string;
  mode: string;
  exceptionsBy: readonly string[];
  relievedBy: string | null;
}

interface Decision {
  point: string;
  environment: string | null;
  outcome: string;
  results: readonly Result[];
}

/** Decisions with the rules behind them. The same one for several environments stands once. */
export function Decisions({ decisions }: { decisions: readonly Decision[] }) {
  if (decisions.length === 0) return <Text c="dimmed">None.</Text>;
  const alike = Map.groupBy(decisions, ({ outcome, results }) =>
    JSON.stringify([outcome, results.map((result) => ({ ...result, subject: "" }))]),
  );
  return (
    <Stack gap="md">
      {[...alike].map(([key, [first, ...more]]) => {
        if (!first) return null;
        return (
          <Stack gap={6} key={key}>
            <Group gap={6}>
              <Status of={first.outcome} />
              <Text c="dimmed">{[first, ...more].map(({ environment, point }) => environment ?? point).join(", ")}</Text>
            </Group>
            <Rules results={first.results} />
          </Stack>
        );
      })}
    </Stack>
  );
}

const ORDER = ["denied", "not_evaluable", "unknown", "warned", "passed"];

export function Rules({ results }: { results: readonly Result[] }) {
  return (
    <Rows label="Rules">
      {results
        .toSorted((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome))
        .map((result) => (
          <Row
            key={result.rule}
            sign={<Status of={result.outcome} bare />}
            title={result.rule}
            below={
              result.outcome !== "passed" && (
                <>
                  <div>
                    {plain(result.message)}. {plain(result.fix)}
                  </div>
                  <div>
                    {result.subject && `Of ${nameOf(result.subject)}. `}
                    {leaveFor(result)}
                  </div>
                </>
              )
            }
          >
            <span>{result.outcome.replaceAll("_", " ")}</span>
          </Row>
        ))}
    </Rows>
  );
}

/** By whose leave it goes on all the same, or who could give it. */
function leaveFor({ mode, exceptionsBy, relievedBy }: Result): string {
  if (relievedBy !== null) return `It goes on by ${relievedBy}.`;
  if (mode !== "enforce") return mode === "warn" ? "It warns, and stops nothing." : "It is recorded, and stops nothing.";
  if (exceptionsBy.length === 0) return "Nobody may grant an exception.";
  return `An exception may be granted by ${exceptionsBy.map(nameOf).join(" or ")}.`;
}

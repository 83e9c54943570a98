import { Stack, Text } from "@mantine/core";
import { sentence } from "./names.ts";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";

interface Result {
  rule: string;
  outcome: string;
  message: string;
  fix: string;
}

/** Decisions with the rules behind them; what did not pass comes first, with how to mend it. */
export function Decisions({
  decisions,
}: {
  decisions: readonly { point: string; environment: string | null; outcome: string; results: readonly Result[] }[];
}) {
  if (decisions.length === 0) return <Text c="dimmed">None.</Text>;
  return (
    <Stack gap="sm">
      {decisions.map((decision) => (
        <Stack gap={6} key={`${decision.point} ${decision.environment}`}>
          <div>
            <Status of={decision.outcome} /> {decision.environment ? `in ${decision.environment}` : `at ${decision.point}`}
          </div>
          <Rules results={decision.results} />
        </Stack>
      ))}
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
                  {sentence(result.message)}. {result.fix}
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

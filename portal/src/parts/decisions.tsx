import { Stack, Table, Text } from "@mantine/core";
import { Status } from "./status.tsx";

interface Result {
  rule: string;
  outcome: string;
  message: string;
  fix: string;
}

/** Decisions with the rules behind them; what did not pass comes first, with how to mend it. */
export function Decisions({ decisions }: { decisions: readonly { point: string; environment: string | null; outcome: string; results: readonly Result[] }[] }) {
  if (decisions.length === 0) return <Text size="sm">None.</Text>;
  return (
    <Stack gap="sm">
      {decisions.map((decision) => (
        <div key={`${decision.point} ${decision.environment}`}>
          <Status of={decision.outcome} label={`${decision.environment ?? decision.point}: ${decision.outcome === "allow" ? "allowed" : decision.outcome === "warn" ? "allowed with warnings" : "denied"}`} />
          <Rules results={decision.results} />
        </div>
      ))}
    </Stack>
  );
}

export function Rules({ results }: { results: readonly Result[] }) {
  const order = ["denied", "not_evaluable", "unknown", "warned", "passed"];
  return (
    <Table.ScrollContainer minWidth={280}>
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {[...results]
            .sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome))
            .map((result) => (
              <Table.Tr key={result.rule}>
                <Table.Td style={{ verticalAlign: "top", whiteSpace: "nowrap" }}>
                  <Status of={result.outcome} />
                </Table.Td>
                <Table.Td>
                  <Text size="sm" fw={500}>
                    {result.rule}
                  </Text>
                  {result.outcome !== "passed" && (
                    <Text size="sm">
                      {result.message} {result.fix}
                    </Text>
                  )}
                </Table.Td>
              </Table.Tr>
            ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

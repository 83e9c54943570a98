import { ApiProblem } from "@cairn/api";
import { Alert, Button, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";

/** A refusal where it arose: what happened, what to do next, the code. */
export function ProblemNote({ error, retry }: { error: unknown; retry?: () => void }) {
  if (!error) return null;
  const problem = error instanceof ApiProblem ? error.problem : undefined;
  return (
    <Alert
      color="red"
      variant="outline"
      icon={<IconAlertTriangle aria-hidden />}
      title={problem?.detail ?? "The platform can't be reached"}
      role="alert"
    >
      <Text size="sm">{problem?.next ?? "It reconnects by itself. On its machine, cairn status tells what is up."}</Text>
      {problem?.errors?.map((each) => (
        <Text size="sm" key={each.path}>
          {each.path}: {each.message}
        </Text>
      ))}
      <Text size="xs" c="dimmed" mt={4} className="mono">
        {problem?.code ?? "portal.unreachable"}
      </Text>
      {retry && (
        <Button size="xs" variant="default" mt="xs" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

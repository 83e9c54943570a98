import { Code, CopyButton, Text, UnstyledButton } from "@mantine/core";

/** A command to take along. */
export function Command({ text }: { text: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <UnstyledButton onClick={copy} display="block" mt={2}>
          <Code className="anywhere">{text}</Code>{" "}
          <Text span size="xs" c="dimmed">
            {copied ? "copied" : "copy"}
          </Text>
        </UnstyledButton>
      )}
    </CopyButton>
  );
}

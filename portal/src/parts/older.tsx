import { Button, Group } from "@mantine/core";
import type { Address } from "./address.ts";

/** The way to what is older, where a list is longer than a page of it; `next` is the last that is shown, or null at the end. */
export function Older({ address, next }: { address: Address; next: string | null | undefined }) {
  const isFirst = address.get("before") === null;
  if (isFirst && !next) return null;
  return (
    <Group gap="xs" component="nav" aria-label="Older and newer">
      {!isFirst && (
        <Button variant="default" size="xs" onClick={() => address.turn(null)}>
          Newest
        </Button>
      )}
      {next && (
        <Button variant="default" size="xs" onClick={() => address.turn(next)}>
          Older
        </Button>
      )}
    </Group>
  );
}

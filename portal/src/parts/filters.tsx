import { Group, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { api, useAnswer } from "../api.ts";
import type { Address } from "./address.ts";
import { sentence } from "./names.ts";

/** Only what is of this service; taken when it is typed to its end. */
export function ServiceField({ address }: { address: Address }) {
  const named = address.get("service") ?? "";
  // Typed anew where the address says something else, as after going back.
  return <Typed key={named} named={named} take={(service) => address.set({ service })} />;
}

function Typed({ named, take }: { named: string; take: (name: string) => void }) {
  const [typed, setTyped] = useState(named);
  const end = () => typed.trim() !== named && take(typed.trim());
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        end();
      }}
    >
      <TextInput
        size="xs"
        aria-label="Service"
        placeholder="Any service"
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onBlur={end}
        autoComplete="off"
        spellCheck={false}
        w={170}
      />
    </form>
  );
}

/** Only what is of this team's services. */
export function TeamField({ address, size = "xs" }: { address: Address; size?: "xs" | "sm" }) {
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  return (
    <Select
      size={size}
      aria-label="Team"
      placeholder="Any team"
      data={groups.data?.map(({ name }) => name) ?? []}
      value={address.get("team")}
      onChange={(team) => address.set({ team })}
      clearable
      searchable
      limit={100}
      w={size === "xs" ? 170 : 180}
    />
  );
}

/** A list narrowed by how things stand, their service and their team. Of the states the first is meant where the address names none. */
export function Narrowing({ address, states, state }: { address: Address; states: readonly string[]; state: string }) {
  return (
    <Group gap="xs" className="narrowing">
      <SegmentedControl
        size="xs"
        data={states.map((value) => ({ value, label: sentence(value) }))}
        value={state}
        onChange={(value) => address.set({ state: value === states[0] ? null : value })}
        aria-label="State"
      />
      <ServiceField address={address} />
      <TeamField address={address} />
    </Group>
  );
}

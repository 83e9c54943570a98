import { Group, Select } from "@mantine/core";
import { useAddress } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { ServiceField, TeamField } from "../parts/filters.tsx";
import { Freezes } from "../parts/freezes.tsx";
import { sentence } from "../parts/names.ts";
import { Older } from "../parts/older.tsx";
import { Page } from "../parts/page.tsx";
import { ReleaseRows, useReleases } from "../parts/release-rows.tsx";

const SHOWN = 50;
const STATES = ["active", "planned", "rolling_out", "held", "promoted", "rolled_back", "refused", "failed", "superseded"] as const;

/** What went out, and how did it end? */
export default function Releases() {
  const address = useAddress();
  const state = STATES.find((each) => each === address.get("state"));
  const [service, team, environment, before] = ["service", "team", "environment", "before"].map((name) => address.get(name));
  const narrow = { ...(service && { service }), ...(team && { team }), ...(environment && { environment }), ...(state && { state }) };
  const filter = { ...narrow, ...(before && { before }), limit: SHOWN };
  const releases = useReleases(filter);
  const rows = releases.data?.releases ?? [];
  const flags = [service && ` ${service}`, environment && ` -e ${environment}`, state && ` --state ${state}`, team && ` --team ${team}`];
  return (
    <Page
      title="Releases"
      actions={
        <Equivalents
          cli={`cairn releases list${flags.filter(Boolean).join("")}`}
          api={`GET /api/releases?${new URLSearchParams({ ...filter, limit: String(SHOWN) })}`}
        />
      }
    >
      <Group gap="xs" className="narrowing">
        <ServiceField address={address} />
        <TeamField address={address} />
        <Select
          size="xs"
          aria-label="State"
          placeholder="Any state"
          data={STATES.map((value) => ({ value, label: value === "active" ? "Not ended" : sentence(value.replace("_", " ")) }))}
          value={state ?? null}
          onChange={(value) => address.set({ state: value })}
          clearable
          w={150}
        />
        <Select
          size="xs"
          aria-label="Environment"
          placeholder="Any environment"
          data={[...new Set(["dev", "staging", "production", ...(environment ? [environment] : [])])]}
          value={environment ?? null}
          onChange={(value) => address.set({ environment: value })}
          clearable
          w={150}
        />
      </Group>
      <ReleaseRows filter={filter} none={Object.keys(narrow).length > 0 ? "No release is like that" : "No release yet"} />
      <Older address={address} next={rows.length === SHOWN ? rows.at(-1)?.id : null} />
      {!releases.isLoading && <Freezes />}
    </Page>
  );
}

import { SegmentedControl } from "@mantine/core";
import { useSearchParams } from "react-router";
import { ChangeRows } from "../parts/change-rows.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { sentence } from "../parts/names.ts";
import { Page } from "../parts/page.tsx";

const STATES = ["open", "merged", "closed"] as const;

/** What waits to be merged, and what was? */
export default function Changes() {
  const [search, setSearch] = useSearchParams();
  const state = STATES.find((each) => each === search.get("state")) ?? "open";
  return (
    <Page
      title="Change requests"
      actions={
        <>
          <Equivalents cli={`cairn changes list${state === "open" ? "" : ` --state ${state}`}`} api={`GET /api/changes?state=${state}`} />
          <SegmentedControl
            size="xs"
            data={STATES.map((value) => ({ value, label: sentence(value) }))}
            value={state}
            onChange={(value) => setSearch(value === "open" ? {} : { state: value })}
            aria-label="State"
          />
        </>
      }
    >
      <ChangeRows state={state} />
    </Page>
  );
}

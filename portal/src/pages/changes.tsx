import { SegmentedControl } from "@mantine/core";
import { useSearchParams } from "react-router";
import { ChangeRows } from "../parts/change-rows.tsx";
import { Page } from "../parts/page.tsx";

type State = "open" | "merged" | "closed";

export default function Changes() {
  const [search, setSearch] = useSearchParams();
  const state = (search.get("state") ?? "open") as State;
  return (
    <Page title="Change requests">
      <SegmentedControl data={["open", "merged", "closed"]} value={state} onChange={(value) => setSearch({ state: value })} aria-label="State" style={{ alignSelf: "flex-start" }} />
      <ChangeRows state={state} />
    </Page>
  );
}

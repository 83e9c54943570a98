import { useAddress } from "../parts/address.ts";
import { ChangeRows, useChanges } from "../parts/change-rows.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { Narrowing } from "../parts/filters.tsx";
import { Older } from "../parts/older.tsx";
import { Page } from "../parts/page.tsx";

const STATES = ["open", "merged", "closed"] as const;
const SHOWN = 50;

/** What waits to be merged, and what was? */
export default function Changes() {
  const address = useAddress();
  const state = address.oneOf("state", STATES);
  const [repository, team, before] = [address.get("service"), address.get("team"), address.get("before")];
  const filter = { state, ...(repository && { repository }), ...(team && { team }), ...(before && { before }), limit: SHOWN };
  const rows = useChanges(filter).data?.changes ?? [];
  const last = rows.length === SHOWN ? rows.at(-1) : undefined;
  const flags = [repository && ` --repository ${repository}`, team && ` --team ${team}`, state !== "open" && ` --state ${state}`];
  return (
    <Page
      title="Change requests"
      actions={
        <Equivalents
          cli={`cairn changes list${flags.filter(Boolean).join("")}`}
          api={`GET /api/changes?${new URLSearchParams({ ...filter, limit: String(SHOWN) })}`}
        />
      }
    >
      <Narrowing address={address} states={STATES} state={state} />
      <ChangeRows filter={filter} none={repository || team ? "No change request is like that" : `No ${state} change request`} />
      <Older address={address} next={last && `${last.repository}/${last.number}`} />
    </Page>
  );
}

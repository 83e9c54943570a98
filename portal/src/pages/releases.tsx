import { Equivalents } from "../parts/equivalents.tsx";
import { Freezes } from "../parts/freezes.tsx";
import { Page } from "../parts/page.tsx";
import { ReleaseRows } from "../parts/release-rows.tsx";

/** What went out, and how did it end? */
export default function Releases() {
  return (
    <Page title="Releases" actions={<Equivalents cli="cairn releases list" api="GET /api/releases?limit=50" />}>
      <ReleaseRows limit={50} />
      <Freezes />
    </Page>
  );
}

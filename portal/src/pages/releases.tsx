import { Equivalents } from "../parts/equivalents.tsx";
import { Freezes } from "../parts/freezes.tsx";
import { Page } from "../parts/page.tsx";
import { ReleaseRows, useReleases } from "../parts/release-rows.tsx";

const SHOWN = 50;

/** What went out, and how did it end? */
export default function Releases() {
  const releases = useReleases(SHOWN);
  return (
    <Page title="Releases" actions={<Equivalents cli="cairn releases list" api="GET /api/releases?limit=50" />}>
      <ReleaseRows limit={SHOWN} />
      {!releases.isLoading && <Freezes />}
    </Page>
  );
}

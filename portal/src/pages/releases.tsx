import { Page } from "../parts/page.tsx";
import { ReleaseRows } from "../parts/release-rows.tsx";

export default function Releases() {
  return (
    <Page title="Releases">
      <ReleaseRows limit={50} />
    </Page>
  );
}

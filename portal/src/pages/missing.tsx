import { Anchor } from "@mantine/core";
import { Link } from "react-router";
import { Empty, Page } from "../parts/page.tsx";

export default function Missing() {
  return (
    <Page title="Nothing is here">
      <Empty title="This address leads nowhere">
        It may have been removed, or the link is mistyped.{" "}
        <Anchor component={Link} to="/services" underline="always">
          All services
        </Anchor>
      </Empty>
    </Page>
  );
}

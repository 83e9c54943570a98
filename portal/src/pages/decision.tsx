import { Text } from "@mantine/core";
import { useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Rules } from "../parts/decisions.tsx";
import { Digest } from "../parts/digest.tsx";
import { Answered, Page, Section } from "../parts/page.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

export default function DecisionPage() {
  const { id = "" } = useParams();
  const decision = useAnswer(["decisions", id], () => api.GET("/api/decisions/{id}", { params: { path: { id } } }));
  return (
    <Answered query={decision}>
      {(data) => (
        <Page title={`Decision at ${data.point}`} path={[{ name: "Policies", to: "/policies" }]} aside={<Status of={data.outcome} />}>
          <Text size="sm">
            About <span className="mono">{data.about}</span>, <Time at={data.decidedAt} />. Facts <Digest of={data.subject} />, rules <Digest of={data.bundle} />, evaluator {data.evaluator}.
          </Text>
          <Section title="Rules">
            <Rules results={data.results} />
          </Section>
        </Page>
      )}
    </Answered>
  );
}

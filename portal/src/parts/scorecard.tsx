import { Anchor, Button, Code, Group, Progress, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { sentence } from "./names.ts";
import { Answered } from "./page.tsx";
import { Row, Rows } from "./rows.tsx";
import { Status } from "./status.tsx";

/** How well is it kept, by what its tier asks for? Each point leads to the fact that it rests on, and says what to do. */
export function Scorecard({ service }: { service: string }) {
  const card = useAnswer(["scorecard", service], () => api.GET("/api/services/{name}/scorecard", { params: { path: { name: service } } }));
  return (
    <Answered query={card}>
      {({ met, required, tier, points }) => (
        <Stack>
          <div>
            <Text component="div">
              <strong>
                {met} of {required}
              </strong>{" "}
              points that {tier} asks for
            </Text>
            <Progress value={required === 0 ? 0 : (met / required) * 100} mt={6} aria-label={`${met} of ${required} points are met`} />
          </div>
          <Rows label="Points of the scorecard">
            {points.map((point) => (
              <Row
                key={point.id}
                sign={<Status of={point.state} bare />}
                title={
                  <Group gap={8}>
                    <Anchor component={Link} to={point.fact}>
                      {point.title}
                    </Anchor>
                    {!point.required && (
                      <Text size="xs" c="dimmed" component="span">
                        not asked of {tier}
                      </Text>
                    )}
                  </Group>
                }
                below={
                  <>
                    <div>{sentence(point.because)}</div>
                    {point.next && (
                      <div>
                        {point.next.what}: <Code className="anywhere">{point.next.command}</Code>
                      </div>
                    )}
                  </>
                }
              >
                {point.next && (
                  <Button component={Link} to={point.next.link} variant="default" size="xs" title={point.next.what}>
                    {point.state === "unknown" ? "Find out" : "Mend it"}
                  </Button>
                )}
              </Row>
            ))}
          </Rows>
        </Stack>
      )}
    </Answered>
  );
}

import type { Answered as Answer } from "@cairn/api";
import { Anchor, Button, Code, Group, Select, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress, type Address } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { TeamField } from "../parts/filters.tsx";
import { nameOf, sentence } from "../parts/names.ts";
import { many } from "../parts/numbers.ts";
import { Answered, Empty, Page, Section } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

type Scores = Answer<"listScorecards">;
type Point = Scores["points"][number];
type Kept = Scores["items"][number];

const TIERS = ["tier-1", "tier-2", "tier-3"] as const;
const STATES = ["missed", "unknown", "met"] as const;
const PAGE = 25;
/** So many points of a service are told here; its own page has them all. */
const TOLD = 3;

/** Where do we stand? Of each point how many meet it, and the services by how well they are kept, the worst first. */
export default function Scorecards() {
  const address = useAddress();
  const tier = TIERS.find((each) => each === address.get("tier"));
  const state = STATES.find((each) => each === address.get("state"));
  const [team, point] = [address.get("team"), address.get("point")];
  const offset = Math.max(0, Math.floor(Number(address.get("from")) || 0));
  const filter = { ...(team && { team }), ...(tier && { tier }), ...(point && { point }), ...(state && { state }) };
  const scores = useAnswer(
    ["scorecards", filter, offset],
    () => api.GET("/api/scorecards", { params: { query: { ...filter, limit: PAGE, offset } } }),
    { keep: true, refetchInterval: 30_000 },
  );
  const flags = Object.entries(filter).map(([name, value]) => ` --${name} ${value}`);
  return (
    <Page
      title="Scorecards"
      aside={scores.data && <Text c="dimmed">{scores.data.total.toLocaleString("en")}</Text>}
      actions={
        <Equivalents
          cli={`cairn scorecards list${flags.join("")}`}
          api={`GET /api/scorecards?${new URLSearchParams({ ...filter, limit: String(PAGE), offset: String(offset) })}`}
        />
      }
    >
      <Group gap="xs">
        <TeamField address={address} />
        <Select
          size="xs"
          aria-label="Tier"
          placeholder="Any tier"
          data={TIERS}
          value={tier ?? null}
          onChange={(value) => address.set({ tier: value })}
          clearable
          w={120}
        />
      </Group>
      <Answered query={scores}>
        {(data) => (
          <>
            {data.points.some(({ asked }) => asked > 0) && (
              <Section title="Points">
                <Points of={data.points} address={address} chosen={{ point, state }} />
              </Section>
            )}
            <Section
              title="Services, the worst first"
              actions={<Chosen points={data.points} point={point} state={state} clear={() => address.set({ point: null, state: null })} />}
            >
              <Stack gap="xs">
                {data.items.length > 0 ? (
                  <Rows label="Services">
                    {data.items.map((one) => (
                      <Service key={one.service} of={one} first={point} />
                    ))}
                  </Rows>
                ) : (
                  <Nothing data={data} address={address} />
                )}
                {data.items.length > 0 && data.unscored > 0 && (
                  <Text size="xs" c="dimmed">
                    {many(data.unscored, "more service")} without a scorecard yet: they are made one after another.
                  </Text>
                )}
                <Pages address={address} offset={offset} total={data.total} />
              </Stack>
            </Section>
          </>
        )}
      </Answered>
    </Page>
  );
}

interface Choice {
  point: string | null;
  state: (typeof STATES)[number] | undefined;
}

/** Of each point how many of those that it is asked of meet it; what is pressed leaves those below who do not. */
function Points({ of, address, chosen }: { of: Point[]; address: Address; chosen: Choice }) {
  const choose = (choice: Choice) => {
    const again = choice.point === chosen.point && choice.state === chosen.state;
    address.set(again ? { point: null, state: null } : { point: choice.point, state: choice.state ?? null });
  };
  return (
    <Rows label="Points">
      {of
        .filter(({ asked }) => asked > 0)
        .map((point) => (
          <li key={point.id} className="row point" data-chosen={point.id === chosen.point || undefined}>
            <div className="row-main">
              <Anchor
                component="button"
                type="button"
                fw={500}
                size="sm"
                c="inherit"
                ta="start"
                aria-pressed={point.id === chosen.point && chosen.state === undefined}
                title="Show those that do not meet it"
                onClick={() => choose({ point: point.id, state: undefined })}
              >
                {point.title}
              </Anchor>
              {point.tiers.length < TIERS.length && (
                <Text size="xs" c="dimmed" span className="point-tiers">
                  asked of {point.tiers.join(", ")}
                </Text>
              )}
            </div>
            <div className="point-bar" aria-hidden>
              <span className="point-met" style={{ width: `${(100 * point.met) / point.asked}%` }} />
              <span className="point-missed" style={{ width: `${(100 * point.missed) / point.asked}%` }} />
            </div>
            <div className="row-facts point-counts">
              <span>
                {point.met.toLocaleString("en")} of {point.asked.toLocaleString("en")} met
              </span>
              {(["missed", "unknown"] as const).map((state) => (
                <span key={state}>
                  {point[state] > 0 && (
                    <Anchor
                      component="button"
                      type="button"
                      size="xs"
                      aria-pressed={point.id === chosen.point && chosen.state === state}
                      aria-label={`${point[state].toLocaleString("en")} ${state}: ${point.title}`}
                      onClick={() => choose({ point: point.id, state })}
                    >
                      {point[state].toLocaleString("en")} {state}
                    </Anchor>
                  )}
                </span>
              ))}
            </div>
          </li>
        ))}
    </Rows>
  );
}

/** What those below have in common, in words, and the way back to all. */
function Chosen({ points, point, state, clear }: Choice & { points: Point[]; clear: () => void }) {
  if (point === null && state === undefined) return null;
  const title = points.find(({ id }) => id === point)?.title ?? "any point";
  return (
    <Group gap={8}>
      <Text size="xs" c="dimmed">
        {state ?? "not met"}: {title}
      </Text>
      <Anchor component="button" type="button" size="xs" onClick={clear}>
        Show all
      </Anchor>
    </Group>
  );
}

/** What a service lacks, in words, each with the fact and the next step; that of the point one looks at first. */
function Service({ of: { service, owner, tier, met, required, lacks, at }, first }: { of: Kept; first: string | null }) {
  const told = [...lacks.filter(({ id }) => id === first), ...lacks.filter(({ id }) => id !== first)].slice(0, TOLD);
  const untold = lacks.length - told.length;
  return (
    <Row
      title={
        <Anchor component={Link} to={`/services/${service}/score`}>
          {service}
        </Anchor>
      }
      below={
        <>
          {nameOf(owner)} · {tier}
          <ul className="lacks" aria-label={`What ${service} lacks`}>
            {told.map(({ id, title, state, because, fact, next, since }) => (
              <li key={id}>
                <Status of={state} bare />
                <span>
                  <Anchor component={Link} to={fact} size="xs" c="inherit" fw={600}>
                    {title}
                  </Anchor>
                  : {sentence(because)}, since <Time at={since} />.{" "}
                  {next && (
                    <Anchor component={Link} to={next.link} size="xs" title={next.command} underline="always">
                      {next.what}
                    </Anchor>
                  )}
                </span>
              </li>
            ))}
            {told.length === 0 && (
              <li>
                <Status of="met" bare />
                <span>{required === 0 ? `${sentence(tier)} asks for nothing` : `It meets all that ${tier} asks for`}</span>
              </li>
            )}
            {untold > 0 && (
              <li>
                <span />
                <Anchor component={Link} to={`/services/${service}/score`} size="xs">
                  {many(untold, "more point")}
                </Anchor>
              </li>
            )}
          </ul>
        </>
      }
    >
      <span className="point-score tabular">
        {met} of {required}
      </span>
      <span>
        scored <Time at={at} />
      </span>
    </Row>
  );
}

function Nothing({ data, address }: { data: Scores; address: Address }) {
  if (!address.isBare && data.unscored === 0)
    return (
      <Empty title={address.get("state") === "missed" ? "No service misses it" : "No service is like that"}>
        <Anchor component="button" type="button" underline="always" onClick={address.clear}>
          Show every service
        </Anchor>
      </Empty>
    );
  if (data.unscored > 0)
    return (
      <Empty title={`${many(data.unscored, "service")} to be scored`}>
        The first have their scorecard within seconds; it shows up here.
      </Empty>
    );
  return (
    <Empty title="No service yet">
      Each service is scored by what its tier asks for: an owner, objectives, evidence of what serves, incidents that are answered. The
      rules are in <Code>library/scorecards</Code>.
      <div>
        <Button component={Link} to="/create" mt="sm">
          Create the first one
        </Button>
      </div>
    </Empty>
  );
}

function Pages({ address, offset, total }: { address: Address; offset: number; total: number }) {
  if (total <= PAGE && offset === 0) return null;
  const [before, after] = [offset - PAGE, offset + PAGE];
  return (
    <Group gap="xs" component="nav" aria-label="Pages">
      <Button variant="default" size="xs" disabled={offset === 0} onClick={() => address.turn(before > 0 ? String(before) : null, "from")}>
        Worse
      </Button>
      <Button variant="default" size="xs" disabled={after >= total} onClick={() => address.turn(String(after), "from")}>
        Better
      </Button>
      <Text size="xs" c="dimmed">
        {Math.min(offset + 1, total).toLocaleString("en")} to {Math.min(after, total).toLocaleString("en")} of {total.toLocaleString("en")}
      </Text>
    </Group>
  );
}

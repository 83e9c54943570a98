import { answer, ApiProblem, type Answered as Answer } from "@cairn/api";
import { Alert, Button, Checkbox, Collapse, Group, Paper, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm, type GetInputPropsReturnType } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { sentence } from "../parts/names.ts";
import { NewTeam } from "../parts/new-team.tsx";
import { Answered, Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";

type GoldenPath = Answer<"getGoldenPath">;
type Parameter = GoldenPath["parameters"][number];
type Answers = Record<string, string | boolean>;

/** So many questions at most stand open; further optional ones are folded. */
const OPEN_QUESTIONS = 4;

export default function CreateForm() {
  const { path = "" } = useParams();
  const found = useAnswer(["golden-paths", path], () => api.GET("/api/golden-paths/{name}", { params: { path: { name: path } } }));
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const me = useAnswer(["me"], () => api.GET("/api/auth/me"));
  return (
    <Page title={found.data ? `Create: ${found.data.title}` : path} path={[{ name: "Create a service", to: "/create" }]}>
      <Answered query={found}>
        {(goldenPath) => (
          <Answered query={groups}>
            {(teams) => (
              <Questions
                of={goldenPath}
                teams={teams.map(({ name, title }) => ({ value: name, label: title && title !== name ? `${title} · ${name}` : name }))}
                own={me.data?.principal.groups ?? []}
              />
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

interface Team {
  value: string;
  label: string;
}

function Questions({ of: { name: path, description, parameters }, teams, own }: { of: GoldenPath; teams: Team[]; own: string[] }) {
  const navigate = useNavigate();
  const [unfolded, { toggle }] = useDisclosure(false);
  const mine = teams.filter(({ value }) => teams.length === 1 || own.some((group) => group.endsWith(`/${value}`)));
  const first = (each: Parameter): string | boolean =>
    each.type === "boolean"
      ? each.default === true
      : each.name === "owner_team" && mine.length === 1
        ? (mine[0]?.value ?? "")
        : String(each.default ?? "");
  const form = useForm<Answers>({
    initialValues: Object.fromEntries(parameters.map((each) => [each.name, first(each)])),
    validate: Object.fromEntries(parameters.map((each) => [each.name, (value: string | boolean) => mistake(each, value)])),
    validateInputOnBlur: true,
  });
  const plan = useMutation({
    mutationFn: (answers: Answers) => answer(api.POST("/api/plans", { body: { goldenPath: path, answers: given(parameters, answers) } })),
    onSuccess: ({ digest }) => void navigate(`/plans/${encodeURIComponent(digest)}`),
    onError: (error) => {
      const field = parameterOf(error);
      if (field && error instanceof ApiProblem) form.setFieldError(field, `${error.problem.detail}. ${error.problem.next}`);
    },
  });
  const sorted = [...parameters.filter((each) => each.required), ...parameters.filter((each) => !each.required)];
  const open = Math.max(OPEN_QUESTIONS, parameters.filter((each) => each.required).length);
  const question = (each: Parameter) => (
    <Question
      key={each.name}
      parameter={each}
      teams={teams}
      props={form.getInputProps(each.name, { type: each.type === "boolean" ? "checkbox" : "input" })}
    />
  );
  const flags = Object.entries(given(parameters, form.values)).map(([name, value]) => ` -a ${name}=${JSON.stringify(value)}`);
  return (
    <Stack maw={620}>
      {teams.length === 0 && (
        <Alert variant="outline" color="cyan" title="First: who owns it?">
          <Text mb="sm">Every service has an owner, and there is no team yet.</Text>
          <NewTeam onMade={(name) => form.setFieldValue("owner_team", name)} />
        </Alert>
      )}
      <Paper withBorder p="lg">
        <form onSubmit={form.onSubmit((answers) => plan.mutate(answers))} noValidate>
          <Stack>
            <Text c="dimmed">{description}</Text>
            {sorted.slice(0, open).map(question)}
            {sorted.length > open && (
              <>
                <Button variant="subtle" size="xs" onClick={toggle} aria-expanded={unfolded} style={{ alignSelf: "flex-start" }}>
                  {unfolded ? "Fewer questions" : `${sorted.length - open} more, with good defaults`}
                </Button>
                <Collapse expanded={unfolded}>
                  <Stack>{sorted.slice(open).map(question)}</Stack>
                </Collapse>
              </>
            )}
            {!parameterOf(plan.error) && <ProblemNote error={plan.error} />}
            <Group justify="space-between">
              <Equivalents
                cli={`cairn create ${path}${flags.join("")}`}
                api={`POST /api/plans\n${JSON.stringify({ goldenPath: path, answers: given(parameters, form.values) }, null, 2)}`}
              />
              <Button type="submit" loading={plan.isPending}>
                See the plan
              </Button>
            </Group>
          </Stack>
        </form>
      </Paper>
      <Text size="xs" c="dimmed">
        Nothing changes yet: next you see every file, resource and decision, and apply exactly that.
      </Text>
    </Stack>
  );
}

function Question({ parameter, teams, props }: { parameter: Parameter; teams: Team[]; props: GetInputPropsReturnType }) {
  const shared = { label: sentence(parameter.name.replaceAll("_", " ")), description: parameter.description, ...props };
  if (parameter.type === "boolean") return <Checkbox {...shared} />;
  if (parameter.type === "choice")
    return <Select {...shared} required={parameter.required} data={parameter.choices ?? []} allowDeselect={false} />;
  if (parameter.name === "owner_team" && teams.length > 0)
    return (
      <Select
        {...shared}
        required={parameter.required}
        data={teams}
        placeholder="Choose a team"
        searchable
        nothingFoundMessage="No such team"
      />
    );
  return <TextInput {...shared} required={parameter.required} autoComplete="off" spellCheck={false} />;
}

function mistake(parameter: Parameter, value: string | boolean | null): string | null {
  if (typeof value === "boolean") return null;
  if (!value) return parameter.required ? "An answer is needed" : null;
  if (parameter.pattern && !new RegExp(parameter.pattern, "u").test(value))
    return parameter.pattern === "^[a-z][a-z0-9-]*$"
      ? "Lower-case letters, digits and hyphens; begins with a letter"
      : `Must match ${parameter.pattern}`;
  return null;
}

/** The parameter that a refusal names, so that it stands at its field. */
const parameterOf = (error: unknown): string | undefined =>
  error instanceof ApiProblem ? (error.problem as { parameter?: string }).parameter : undefined;

/** The answers that were given; empty optional ones are left to their default. */
const given = (parameters: Parameter[], answers: Answers): Answers =>
  Object.fromEntries(
    parameters.flatMap(({ name }) =>
      answers[name] === "" || answers[name] === undefined || answers[name] === null ? [] : [[name, answers[name]]],
    ),
  );

import { answer, ApiProblem, type components } from "@cairn/api";
import { Anchor, Button, Checkbox, Group, Paper, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "react-router";
import { api, useAnswer } from "../api.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { Answered, Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";

type Parameter = components["schemas"]["Parameter"];
type Answers = Record<string, string | boolean>;

export default function CreateForm() {
  const { path = "" } = useParams();
  const found = useAnswer(["golden-paths", path], () => api.GET("/api/golden-paths/{name}", { params: { path: { name: path } } }));
  return (
    <Page title={found.data?.title ?? path} path={[{ name: "Create a service", to: "/create" }]}>
      <Answered query={found}>{(goldenPath) => <Questions path={goldenPath.name} description={goldenPath.description} parameters={goldenPath.parameters} />}</Answered>
    </Page>
  );
}

function Questions({ path, description, parameters }: { path: string; description: string; parameters: Parameter[] }) {
  const navigate = useNavigate();
  const groups = useAnswer(["groups"], () => api.GET("/api/catalog/groups"));
  const form = useForm<Answers>({
    initialValues: Object.fromEntries(parameters.map((each) => [each.name, each.type === "boolean" ? each.default === true : String(each.default ?? "")])),
    validate: Object.fromEntries(parameters.map((each) => [each.name, (value: string | boolean) => mistake(each, value)])),
    validateInputOnBlur: true,
  });
  const plan = useMutation({
    mutationFn: (answers: Answers) => answer(api.POST("/api/plans", { body: { goldenPath: path, answers: given(parameters, answers) } })),
    onSuccess: ({ digest }) => void navigate(`/plans/${digest}`),
    onError: (error) => {
      // A refusal that names a parameter stands at its field.
      const field = error instanceof ApiProblem ? (error.problem as { parameter?: string }).parameter : undefined;
      if (field) form.setFieldError(field, error.message);
    },
  });
  const flags = Object.entries(given(parameters, form.values)).map(([name, value]) => ` -a ${name}=${JSON.stringify(value)}`);
  return (
    <Paper withBorder p="lg" maw={640}>
      <form onSubmit={form.onSubmit((answers) => plan.mutate(answers))}>
        <Stack>
          <Text size="sm">{description}</Text>
          {parameters.map((each) => (
            <Question key={each.name} parameter={each} teams={groups.data?.groups.map((group) => group.name) ?? []} props={form.getInputProps(each.name, { type: each.type === "boolean" ? "checkbox" : "input" })} />
          ))}
          {groups.data?.groups.length === 0 && (
            <Text size="sm">
              A service needs an owner, and there is no team yet. <Anchor component={Link} to="/teams" underline="always">Make the first one</Anchor>
            </Text>
          )}
          <ProblemNote error={plan.error} />
          <Group justify="space-between">
            <Equivalents cli={`cairn create ${path}${flags.join("")}`} api={`POST /api/plans\n${JSON.stringify({ goldenPath: path, answers: given(parameters, form.values) }, null, 2)}`} />
            <Button type="submit" loading={plan.isPending}>
              See the plan
            </Button>
          </Group>
        </Stack>
      </form>
    </Paper>
  );
}

function Question({ parameter, teams, props }: { parameter: Parameter; teams: string[]; props: Record<string, unknown> }) {
  const shared = { label: label(parameter.name), description: parameter.description, withAsterisk: parameter.required, ...props };
  if (parameter.type === "boolean") return <Checkbox {...props} label={label(parameter.name)} description={parameter.description} />;
  if (parameter.type === "choice") return <Select {...shared} data={parameter.choices ?? []} allowDeselect={false} />;
  if (parameter.name === "owner_team" && teams.length > 0) return <Select {...shared} data={teams} searchable />;
  return <TextInput {...shared} autoComplete="off" spellCheck={false} />;
}

const label = (name: string): string => name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

function mistake(parameter: Parameter, value: string | boolean): string | null {
  if (typeof value === "boolean") return null;
  if (value === "") return parameter.required ? "An answer is needed" : null;
  if (parameter.pattern && !new RegExp(parameter.pattern, "u").test(value)) return `Must match ${parameter.pattern}`;
  return null;
}

/** The answers that were given; empty optional ones are left to their default. */
const given = (parameters: Parameter[], answers: Answers): Answers =>
  Object.fromEntries(parameters.flatMap(({ name }) => (answers[name] === "" || answers[name] === undefined ? [] : [[name, answers[name]]])));

/** What a repository's own files say of how it is built, tested and started; `because` names the file for each. What nothing says is not proposed. */
export interface Proposal {
  answers: Record<string, string>;
  because: Record<string, string>;
  /** What a person must know besides. */
  notes: string[];
}

interface Source {
  paths: readonly string[];
  read: (path: string) => Promise<string | undefined>;
}

const JUNIT = "reports/junit.xml";
const HEALTH = /["'`](\/(?:readyz|healthz|livez|health|ready|_health|status|ping))["'`]/;
const CODE = /\.(?:[cm]?[jt]sx?|py|go|rb|rs|java|kt|php|cs|exs?|sh)$/;
const MOST_CODE_FILES = 300;

export async function detect({ paths, read }: Source): Promise<Proposal> {
  const proposal: Proposal = { answers: {}, because: {}, notes: [] };
  /** The first file that says something is heard. */
  const propose = (name: string, value: string | undefined, because: string) => {
    if (value === undefined || value.trim() === "" || proposal.answers[name] !== undefined) return;
    proposal.answers[name] = value.trim();
    proposal.because[name] = because;
  };
  const web = /^web:\s*(.+)$/m.exec((await read("Procfile")) ?? "")?.[1];
  propose("start", web, "Procfile");
  await ofNode(paths, read, propose, proposal.notes);
  await ofPython(paths, read, propose);
  await ofGo(paths, read, propose, proposal.notes);
  const make = (await read("Makefile")) ?? "";
  if (/^build\s*:/m.test(make)) propose("build", "make build", "Makefile");
  if (/^test\s*:/m.test(make) && proposal.answers.test === undefined) {
    propose("test", "make test", "Makefile");
    proposal.notes.push(`make test must write a JUnit report to ${JUNIT}; name another place with -a junit=PATH.`);
  }
  propose("start", commandOf((await read("Dockerfile")) ?? ""), "Dockerfile");
  const health = await healthPath(paths, read);
  if (health) propose("health_path", health.path, health.file);
  return proposal;
}

type Propose = (name: string, value: string | undefined, because: string) => void;

interface Package {
  description?: unknown;
  main?: unknown;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

async function ofNode(paths: Source["paths"], read: Source["read"], propose: Propose, notes: string[]): Promise<void> {
  const text = await read("package.json");
  if (text === undefined) return;
  let found: Package;
  try {
    found = JSON.parse(text) as Package;
  } catch {
    notes.push("package.json is no JSON: nothing was read from it.");
    return;
  }
  const from = "package.json";
  const scripts = found.scripts ?? {};
  const needs = { ...found.dependencies, ...found.devDependencies };
  propose("runtime", "nodejs", from);
  if (typeof found.description === "string") propose("description", oneLine(found.description), from);
  const other = ["pnpm-lock.yaml", "yarn.lock", "bun.lock"].find((lock) => paths.includes(lock));
  const install = paths.includes("package-lock.json") ? "npm ci" : Object.keys(needs).length > 0 && !other ? "npm install" : "";
  if (other) notes.push(`${other} is not npm's: say how to install, -a build=COMMAND, by a program that the machine of the builds has.`);
  else propose("build", [install, scripts.build === undefined ? "" : "npm run build"].filter(Boolean).join(" && "), from);
  if (scripts.start !== undefined) propose("start", /^node [^&|;<>$]+$/.test(scripts.start) ? scripts.start : "npm start", from);
  else if (typeof found.main === "string" && paths.includes(found.main.replace(/^\.\//, ""))) propose("start", `node ${found.main}`, from);
  const test = scripts.test ?? "";
  if (/\bnode\b.*--test\b/.test(test))
    propose(
      "test",
      `mkdir -p reports && NODE_OPTIONS="--test-reporter=junit --test-reporter-destination=${JUNIT}" npm test`,
      `${from}: node's test runner`,
    );
  else if (/\bvitest\b/.test(test)) propose("test", `npx vitest run --reporter=junit --outputFile=${JUNIT}`, `${from}: vitest`);
  else if (/\bmocha\b/.test(test)) propose("test", `npm test -- --reporter xunit --reporter-option output=${JUNIT}`, `${from}: mocha`);
  else if (/\bjest\b/.test(test) && needs["jest-junit"])
    propose("test", `JEST_JUNIT_OUTPUT_FILE=${JUNIT} npm test -- --reporters=default --reporters=jest-junit`, `${from}: jest-junit`);
  else if (/\bjest\b/.test(test)) notes.push("jest writes no JUnit report by itself: add jest-junit to the repository.");
}

async function ofPython(paths: Source["paths"], read: Source["read"], propose: Propose): Promise<void> {
  const requirements = (await read("requirements.txt")) ?? "";
  const project = (await read("pyproject.toml")) ?? "";
  if (requirements === "" && project === "") return;
  const from = requirements === "" ? "pyproject.toml" : "requirements.txt";
  propose("runtime", "python", from);
  propose("description", /^description\s*=\s*"([^"\n]+)"/m.exec(project)?.[1], from);
  const what = requirements === "" ? (/^\[(project|build-system)\]/m.test(project) ? "." : "") : "-r requirements.txt";
  if (what !== "") propose("build", `python3 -m pip install --quiet --target .deps ${what}`, from);
  if (/\bpytest\b/.test(requirements + project))
    propose("test", `PYTHONPATH=.deps:. python3 -m pytest --junitxml=${JUNIT}`, `${from}: pytest`);
  const app = ["main.py", "app.py", "server.py"].find((path) => paths.includes(path));
  if (app) propose("start", `env PYTHONPATH=.deps python3 ${app}`, app);
}

async function ofGo(paths: Source["paths"], read: Source["read"], propose: Propose, notes: string[]): Promise<void> {
  const module = await read("go.mod");
  if (module === undefined) return;
  propose("runtime", "go", "go.mod");
  const commands = [...new Set(paths.flatMap((path) => /^cmd\/[^/]+(?=\/main\.go$)/.exec(path)?.[0] ?? []))];
  const main = paths.includes("main.go") ? "." : commands.length === 1 ? `./${commands[0]}` : undefined;
  if (main) {
    propose("build", `go build -o bin/service ${main}`, "go.mod");
    propose("start", "./bin/service", "go.mod");
    propose("include", "bin", "go.mod");
  }
  notes.push(`go test writes no JUnit report: e.g. -a test="gotestsum --junitfile ${JUNIT} ./...".`);
}

/** What an image starts, where it says so as a list. */
function commandOf(dockerfile: string): string | undefined {
  const list = (word: string): string[] => {
    const last = [...dockerfile.matchAll(new RegExp(`^${word}\\s+(\\[.*\\])\\s*$`, "gim"))].at(-1)?.[1];
    try {
      const parsed: unknown = JSON.parse(last ?? "[]");
      return Array.isArray(parsed) ? parsed.map(String) : [];
    } catch {
      return [];
    }
  };
  const words = [...list("ENTRYPOINT"), ...list("CMD")];
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(" ");
}

async function healthPath(paths: Source["paths"], read: Source["read"]): Promise<{ path: string; file: string } | undefined> {
  const code = paths.filter((path) => CODE.test(path) && !/(^|\/)(node_modules|vendor|tests?|spec|dist)\//.test(path));
  for (const file of code.slice(0, MOST_CODE_FILES)) {
    const path = HEALTH.exec((await read(file)) ?? "")?.[1];
    if (path) return { path, file };
  }
  return undefined;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim().slice(0, 200);

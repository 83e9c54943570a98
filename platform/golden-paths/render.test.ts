import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { parse } from "yaml";
import { afterAll, expect, test } from "vitest";
import { bytesOf } from "../kernel/file-tree.ts";
import { loadGoldenPath, loadGoldenPaths } from "./load.ts";
import { renderGoldenPath, renderTemplate } from "./render.ts";

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const context = { platform_url: "http://127.0.0.1:7070", repository_url: "http://127.0.0.1:7070/git/orders.git" };
const library = join(import.meta.dirname, "../../library/golden-paths");
const everything = "outputs: [{ source: files/, destination: / }]";

test.each([
  ["a missing answer", {}, "service_name", "Allowed"],
  [
    "one that nobody asked for",
    { service_name: "a", owner_team: "t", colour: "red" },
    "colour",
    "service_name, language, owner_team, expose_public",
  ],
  ["another type", { service_name: 1, owner_team: "t" }, "service_name", "Allowed"],
  ["text for yes or no", { service_name: "a", owner_team: "t", expose_public: "true" }, "expose_public", "true or false"],
  ["no choice", { service_name: "a", owner_team: "t", language: "cobol" }, "language", "go, python, nodejs"],
  ["another pattern", { service_name: "Orders", owner_team: "t" }, "service_name", "begins with a letter"],
  ["a trailing hyphen", { service_name: "orders-", owner_team: "t" }, "service_name", "does not end in a hyphen"],
  ["64 characters", { service_name: "a".repeat(64), owner_team: "t" }, "service_name", "at most 63 characters"],
  ["a line break", { service_name: "a", owner_team: "t\nkind: Evil" }, "owner_team", "One line"],
  ["a control character", { service_name: "a", owner_team: "t\u0000" }, "owner_team", "One line"],
  ["a line separator", { service_name: "a", owner_team: "t\u2028x" }, "owner_team", "One line"],
  ["a name of Object's", { service_name: "a", owner_team: "t", __proto__: { language: "go" }, constructor: "x" }, "constructor", "It asks"],
  ["nothing but blanks", { service_name: "a", owner_team: "  " }, "owner_team", "Allowed"],
])("renderGoldenPath() refuses %s, naming the parameter and what is allowed", async (_what, answers, parameter, next) => {
  const microservice = await loadGoldenPath(join(library, "microservice"));
  await expect(renderGoldenPath(microservice, answers, context)).rejects.toMatchObject({
    code: "golden_paths.answer_refused",
    facts: { parameter },
    message: expect.stringContaining(parameter),
    next: expect.stringContaining(next),
  });
});

test("renderGoldenPath() gives the tree that the template's outputs say, the same bytes each time, and a lock of it", async () => {
  const microservice = await loadGoldenPath(join(library, "microservice"));
  const answers = { service_name: "my-thing", owner_team: "Team_A", language: "nodejs" };
  const first = await renderGoldenPath(microservice, answers, context);
  expect(first.files.map(({ path }) => path)).toEqual([
    ".github/workflows/ci.yaml",
    "Dockerfile",
    "cairn.lock",
    "k8s/deployment.yaml",
    "k8s/service.yaml",
    "main.js",
    "package.json",
    "service.js",
    "service.test.js",
  ]);
  const textOf = (path: string) => first.files.find((file) => file.path === path)?.content ?? "";
  expect(textOf("main.js")).toContain("process.env.MY_THING_PORT");
  expect(textOf(".github/workflows/ci.yaml")).toContain(
    "REF: ${{ github.ref }}\n    steps:\n      - uses: actions/checkout@v4\n      - run: npm test\n",
  );
  expect(parse(textOf("k8s/deployment.yaml"))).toMatchObject({ metadata: { labels: { "owner-team": "team-a" } } });
  expect(parse(textOf("k8s/service.yaml"))).toMatchObject({ spec: { type: "ClusterIP" } });
  expect(JSON.parse(textOf("cairn.lock"))).toEqual(first.lock);
  expect(first.lock).toMatchObject({
    goldenPath: { name: "microservice", version: "1.0.0", digest: microservice.digest },
    answers: { ...answers, expose_public: false },
  });
  expect(Object.keys(first.lock.files)).toHaveLength(8);
  expect(await renderGoldenPath(microservice, answers, context)).toEqual(first);
});

test("answers are text and never template, whatever they hold", async () => {
  const folder = await template(`parameters: [{ name: note, type: string }]\n${everything}`, {
    "files/note.yaml": "note: {{ note | quoted }}\n",
    "files/note.txt": "{{ note }}",
  });
  const path = await loadGoldenPath(folder);
  const hostile = [
    "{{ 7*7 }}",
    "{% raw %}",
    "{% endraw %}{{ note }}",
    "{# x #}",
    "${{ secrets.TOKEN }}",
    '": [',
    "' #",
    "<script>&amp;",
    "*alias",
    "!!js/function 'x'",
    "%{x}",
  ];
  const rendered = async (note: string) =>
    Object.fromEntries((await renderGoldenPath(path, { note }, context)).files.map((file) => [file.path, file.content]));
  for (const note of hostile) {
    const files = await rendered(note);
    expect(files["note.txt"]).toBe(note);
    expect(parse(files["note.yaml"] ?? "")).toEqual({ note });
  }
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 60 }), async (note) => {
      const files = await rendered(note).catch((fault: { code: string }) => expect(fault.code).toBe("golden_paths.answer_refused"));
      if (!files) return;
      expect(files["note.txt"]).toBe(note);
      expect(parse(files["note.yaml"] ?? "")).toEqual({ note });
    }),
    { numRuns: 15 },
  );
});

test.each([
  ["../outside", "leaves its folder"],
  ["a/../../outside", "leaves its folder"],
  ["/etc/passwd", "is absolute"],
  ["C:/windows", "is absolute"],
  [".git/hooks/pre-commit", "is git's own"],
  ["a/.GIT/config", "is git's own"],
  [".git /config", "is git's own"],
  ["git~1/config", "is git's own"],
  ["a//b", "has an empty part"],
  ["a\\b", "is not a path"],
  ["a\u202etxt", "is not a path"],
])("renderGoldenPath() refuses to write %s", async (destination, why) => {
  const folder = await template(`parameters: [{ name: where, type: string }]\noutputs: [{ source: files/a, destination: "{{ where }}" }]`, {
    "files/a": "a",
  });
  // An answer can hold it where the answer's own rules let it through; the path is looked at whichever way it came.
  const path = await loadGoldenPath(folder);
  await expect(renderTemplate(path.template, path.files, { where: destination })).rejects.toMatchObject({
    code: "golden_paths.path_refused",
    message: expect.stringContaining(why),
  });
});

test.each([
  ["a source outside its folder", "outputs: [{ source: ../http-api/, destination: / }]", "golden_paths.path_refused"],
  ["a source that is not there", "outputs: [{ source: nothing, destination: x }]", "golden_paths.source_missing"],
  ["a folder without its slash", "outputs: [{ source: files, destination: / }]", "golden_paths.source_missing"],
  [
    "two outputs for one path",
    "outputs: [{ source: files/, destination: / }, { source: files/a, destination: a }]",
    "golden_paths.path_taken",
  ],
  [
    "a file where another output has a folder",
    "outputs: [{ source: files/a, destination: a }, { source: files/a, destination: a/b }]",
    "golden_paths.path_taken",
  ],
  ["an output for the lock", "outputs: [{ source: files/a, destination: cairn.lock }]", "golden_paths.path_taken"],
  ["a name that nothing defines", 'outputs: [{ source: "{{ nobody }}", destination: / }]', "golden_paths.render_failed"],
])("renderGoldenPath() refuses a template with %s", async (_what, yaml, code) => {
  const path = await loadGoldenPath(await template(yaml, { "files/a": "a" }));
  await expect(renderGoldenPath(path, {}, context)).rejects.toMatchObject({ code });
});

test.each([
  ["fuel", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "golden_paths.render_failed"],
  [
    "memory",
    "{% set x = 'aaaaaaaaaaaaaaaa' %}{% for a in range(3) %}{% for i in range(40) %}{% set x = x ~ x %}{{ x }}{% endfor %}{% endfor %}{{ 'a' * 500000000 }}",
    "golden_paths.render_too_large",
  ],
  ["size", "{{ 'a' * 9000000 }}", "golden_paths.render_too_large"],
  ["a file that it has not", "{% include '/etc/passwd' %}", "golden_paths.render_failed"],
  ["what lies behind a value", "{{ note.constructor.constructor('return process')() }}", "golden_paths.render_failed"],
])("a template that asks for too much %s is ended, and the next one renders", async (_what, text, code) => {
  const path = await loadGoldenPath(await template(`parameters: [{ name: note, type: string }]\n${everything}`, { "files/a": text }));
  await expect(renderGoldenPath(path, { note: "x" }, context)).rejects.toMatchObject({ code, facts: { where: "files/a" } });
  const microservice = await loadGoldenPath(join(library, "microservice"));
  expect((await renderGoldenPath(microservice, { service_name: "a", owner_team: "t" }, context)).files).toHaveLength(8);
});

test("a template that does not end is ended at the time limit", async () => {
  const path = await loadGoldenPath(
    await template(everything, { "files/a": "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}" }),
  );
  await expect(renderTemplate(path.template, path.files, {}, { fuel: 2 ** 31, timeoutSeconds: 1 })).rejects.toMatchObject({
    code: "golden_paths.render_failed",
    message: expect.stringContaining("1 s"),
  });
});

test("files that are not text are copied as they are, and keep whether they can be run", async () => {
  const binary = Buffer.from([0x89, 0x50, 0, 0xff, 0x7b, 0x7b]);
  const folder = await template(everything, { "files/logo.png": binary, "files/run.sh": "#!/bin/sh\n" });
  await writeFile(join(folder, "files/go.sh"), "#!/bin/sh\n", { mode: 0o755 });
  const { files } = await renderGoldenPath(await loadGoldenPath(folder), {}, context);
  const logo = files.find(({ path }) => path === "logo.png");
  expect(logo && bytesOf(logo)).toEqual(binary);
  expect(files.map(({ path, mode }) => [path, mode])).toEqual([
    ["cairn.lock", "100644"],
    ["go.sh", "100755"],
    ["logo.png", "100644"],
    ["run.sh", "100644"],
  ]);
});

test.each([
  ["a field that is not known", "colour: red"],
  ["a pattern that is none", "parameters: [{ name: a, type: string, pattern: '(' }]"],
  ["a choice that could be left open", "parameters: [{ name: a, type: choice, choices: [x] }]"],
  ["a parameter twice", "parameters: [{ name: a, type: string }, { name: a, type: boolean }]"],
  ["a parameter that hides what the platform tells", "parameters: [{ name: platform_url, type: string }]"],
  ["broken YAML", "parameters: ["],
])("loadGoldenPath() refuses %s", async (_what, yaml) => {
  const folder = await template(`${yaml}\n${everything}`, { "files/a": "a" });
  await expect(loadGoldenPath(folder)).rejects.toMatchObject({
    code: "golden_paths.template_invalid",
    message: expect.stringContaining("template.yaml"),
  });
});

test("loadGoldenPath() refuses a symbolic link", async () => {
  const folder = await template(everything, { "files/a": "a" });
  await symlink("/etc/passwd", join(folder, "files/passwd"));
  await expect(loadGoldenPath(folder)).rejects.toMatchObject({
    code: "golden_paths.template_invalid",
    message: expect.stringContaining("links are refused"),
  });
});

test("a golden path's digest changes with any of its files", async () => {
  const folder = await template(everything, { "files/a": "a" });
  const { digest } = await loadGoldenPath(folder);
  await writeFile(join(folder, "files/b"), "");
  const more = await loadGoldenPath(folder);
  await rm(join(folder, "files/b"));
  expect(more.digest).not.toBe(digest);
  expect((await loadGoldenPath(folder)).digest).toBe(digest);
});

test("loadGoldenPaths() finds every template of the library, and offers those that say so", async () => {
  const found = await loadGoldenPaths(library);
  expect(found.map(({ template: { name }, offer }) => [name, offer?.tier])).toEqual([
    ["existing-code", "tier-3"],
    ["http-api", "tier-3"],
    ["microservice", undefined],
  ]);
});

async function template(yaml: string, files: Record<string, string | Buffer>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-template-"));
  folders.push(folder);
  const all = { ...files, "template.yaml": `name: test\nversion: "1.0.0"\n${yaml}\n` };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

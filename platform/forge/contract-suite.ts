import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gitTreeId, TreeFile } from "../kernel/file-tree.ts";
import { run } from "../kernel/processes.ts";
import { treeOf } from "./commit-object.ts";
import type { Author, Forge } from "./contract.ts";

export interface StartedForge {
  forge: Forge;
  /** Where a person's git client clones from and pushes to, with their credentials in it. */
  urlFor(repository: string): string;
  /** The same for somebody unknown. */
  urlForStranger(repository: string): string;
  stop(): Promise<void>;
}

export const author: Author = { ref: "user:default/ada", name: "Ada" };
export const at = new Date("2026-03-01T12:00:00Z");

/** Files as a plan has them: text, a script, an image. */
export const someFiles = (files: Record<string, string> = {}): TreeFile[] =>
  Object.entries({ "README.md": "# Orders\n", "src/main.ts": "export const answer = 42;\n", CODEOWNERS: "* @team-a\n", ...files }).map(
    ([path, content]) => TreeFile.parse({ path, content }),
  );

/** Runs the git client of a person, with nothing of this machine's configuration; gives what it said. */
export async function git(folder: string, ...args: string[]): Promise<{ code: number | null; said: string; out: string }> {
  const env = {
    PATH: process.env.PATH,
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    GIT_AUTHOR_NAME: "Ada",
    GIT_AUTHOR_EMAIL: "ada@example.org",
    GIT_COMMITTER_NAME: "Ada",
    GIT_COMMITTER_EMAIL: "ada@example.org",
  };
  const { code, stdout, stderr } = await run("git", args, { cwd: folder, env, timeoutSeconds: 120 });
  return { code, said: stderr.toString(), out: stdout.toString() };
}

/** What every host of repositories must hold to. */
export const forgeContract = (name: string, start: () => Promise<StartedForge>) =>
  describe(`${name} keeps the forge's contract`, () => {
    let started: StartedForge;
    let forge: Forge;
    let folder: string;
    let count = 0;
    beforeAll(async () => {
      started = await start();
      forge = started.forge;
      folder = await mkdtemp(join(tmpdir(), "cairn-forge-"));
    });
    afterAll(async () => {
      await started?.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const aRepository = async (files = someFiles()) => {
      const name = `orders-${++count}`;
      const { commit } = await forge.createRepository({ name, owner: "group:default/team-a", files, message: "Begin", author, at });
      return { name, commit };
    };
    const clone = async (repository: string) => {
      const into = join(folder, `clone-${repository}-${++count}`);
      const cloned = await git(folder, "clone", "--quiet", started.urlFor(repository), into);
      expect(cloned).toMatchObject({ code: 0 });
      return into;
    };
    /** Commits files in a clone on a branch of its own and pushes it. */
    const push = async (into: string, branch: string, files: Record<string, string>, from = "origin/main") => {
      await git(into, "switch", "--quiet", "--force-create", branch, from);
      for (const [path, text] of Object.entries(files)) await writeFile(join(into, path), text);
      await git(into, "add", "--all");
      await git(into, "commit", "--quiet", "-m", `Change ${Object.keys(files).join(", ")}`);
      const pushed = await git(into, "push", "--force", "origin", branch);
      const head = (await git(into, "rev-parse", "HEAD")).out.trim();
      return { ...pushed, head };
    };
    const open = (repository: string, branch: string) =>
      forge.openChange({ repository, branch, title: `Merge ${branch}`, description: "", author: author.ref });

    test("createRepository() refuses names and paths that reach outside, and keeps nothing of them", async () => {
      for (const bad of ["", "../escape", "a/b", ".git", "UPPER", "x".repeat(64), "-rf", "a..b", "con\0"])
        await expect(
          forge.createRepository({ name: bad, owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at }),
        ).rejects.toMatchObject({
          code: "forge.name_invalid",
        });
      for (const path of [
        "../x",
        "/etc/passwd",
        "a/../../x",
        ".git/config",
        "a/.GIT/hooks/pre-receive",
        "git~1/x",
        ".git. /x",
        "a//b",
        "",
        "a/./b",
        ".g\u200Cit/config",
        "a\nb",
      ])
        await expect(
          forge.createRepository({
            name: "escape",
            owner: "group:default/team-a",
            files: someFiles({ [path]: "x" }),
            message: "Begin",
            author,
            at,
          }),
        ).rejects.toMatchObject({ code: "forge.file_refused" });
      await expect(
        forge.createRepository({
          name: "escape",
          owner: "group:default/team-a",
          files: someFiles({ src: "both file and folder" }),
          message: "Begin",
          author,
          at,
        }),
      ).rejects.toMatchObject({ code: "forge.file_refused" });
      await expect(forge.head("escape")).rejects.toMatchObject({ code: "forge.repository_missing" });
    });

    test("createRepository() gives the same commit for the same content, one of two at once, and refuses other content", async () => {
      const input = { name: "twice", owner: "group:default/team-a", files: someFiles(), message: "Begin", author, at };
      const [first, second] = await Promise.all([forge.createRepository(input), forge.createRepository(input)]);
      expect(second).toEqual(first);
      expect(await forge.createRepository(input)).toEqual(first);
      await expect(forge.createRepository({ ...input, files: someFiles({ "more.txt": "more" }) })).rejects.toMatchObject({
        code: "forge.repository_exists",
      });

      const rivals = await Promise.allSettled([
        forge.createRepository({ ...input, name: "rivals", files: someFiles({ who: "one" }) }),
        forge.createRepository({ ...input, name: "rivals", files: someFiles({ who: "two" }) }),
      ]);
      expect(rivals.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(await forge.listFiles("rivals", "main")).toHaveLength(4);
    });

    test("createBranch() with keepOthers puts files beside those of the default branch, again no error, and refuses other content", async () => {
      const { name } = await aRepository();
      const before = await forge.listFiles(name, "main");
      const logo = Buffer.from([0, 255, 10, 13, 0]).toString("base64");
      await forge.createBranch({
        repository: name,
        branch: "logo",
        files: [TreeFile.parse({ path: "logo.png", encoding: "base64", content: logo })],
        message: "Add a logo",
        author,
        at,
        keepOthers: true,
      });
      const input = {
        repository: name,
        branch: "review",
        files: [TreeFile.parse({ path: "docs/incidents/a.md", content: "# Grüße\n" })],
        message: "Review",
        author,
        at,
        keepOthers: true,
      };
      const made = await forge.createBranch(input);
      expect(await forge.createBranch(input)).toEqual(made);
      expect((await forge.listFiles(name, "review")).map(({ path }) => path)).toEqual(
        [...before.map(({ path }) => path), "docs/incidents/a.md"].toSorted(),
      );
      await expect(
        forge.createBranch({ ...input, files: [TreeFile.parse({ path: "docs/incidents/a.md", content: "other" })] }),
      ).rejects.toMatchObject({ code: "forge.branch_exists" });
      expect(
        (await forge.openChange({ repository: name, branch: "review", title: "Review", description: "", author: author.ref })).mergeable,
      ).toBe(true);
    });

    test("createBranch() gives the tree that gitTreeId() names, the same commit each time, and refuses other content", async () => {
      const { name } = await aRepository();
      const files = [
        ...someFiles({ "a.txt": "a", "a/b.txt": "b", "a-b/c.txt": "c", 'say "hi".txt': "quoted", "häuser/öl.txt": "Grüße\n", empty: "" }),
        TreeFile.parse({ path: "run.sh", mode: "100755", content: "#!/bin/sh\n" }),
        TreeFile.parse({ path: "logo.png", encoding: "base64", content: Buffer.from([0, 255, 10, 13, 0]).toString("base64") }),
      ];
      const input = { repository: name, branch: "first-change", files, message: "Add the service", author, at };
      const made = await forge.createBranch(input);
      expect(made.tree).toBe(gitTreeId(files));
      expect(await forge.createBranch(input)).toEqual(made);
      expect(await forge.head(name, "first-change")).toBe(made.commit);
      await expect(forge.createBranch({ ...input, files: someFiles() })).rejects.toMatchObject({ code: "forge.branch_exists" });
      await expect(forge.createBranch({ ...input, branch: "main" })).rejects.toMatchObject({ code: "forge.branch_is_default" });
      for (const branch of ["", "a..b", "a b", "-x", "x.lock", "a^b", "@{u}", "x:y"])
        await expect(forge.createBranch({ ...input, branch })).rejects.toMatchObject({ code: "forge.branch_invalid" });
      await expect(forge.createBranch({ ...input, repository: "nowhere" })).rejects.toMatchObject({ code: "forge.repository_missing" });
      expect(await forge.readFile(name, made.commit, "häuser/öl.txt")).toBe("Grüße\n");
      expect((await forge.listFiles(name, "first-change")).find(({ path }) => path === "run.sh")).toMatchObject({
        mode: "100755",
        sizeBytes: 10,
      });
    });

    test("readFile() gives undefined for what is not there, and speaks no other revision syntax than branches and commits", async () => {
      const { name, commit } = await aRepository();
      expect(await forge.readFile(name, "main", "README.md")).toBe("# Orders\n");
      for (const path of ["nothing", "src", "../README.md", "/README.md", "src/../README.md", "", "README.md/", "./README.md"])
        expect(await forge.readFile(name, commit, path)).toBeUndefined();
      for (const revision of [
        "HEAD",
        "main~0",
        "main^{tree}",
        "main:README.md",
        "--help",
        commit.slice(0, 12),
        "0".repeat(40),
        "",
        "refs/heads/main",
      ])
        await expect(forge.readFile(name, revision, "README.md")).rejects.toMatchObject({ code: "forge.revision_missing" });
    });

    test("a stranger's git client gets nothing", async () => {
      const { name } = await aRepository();
      expect((await git(folder, "ls-remote", started.urlForStranger(name))).code).not.toBe(0);
      expect((await git(folder, "ls-remote", started.urlFor("nowhere"))).code).not.toBe(0);
    });

    test("a push to main is refused with what to do, by force and as deletion too", async () => {
      const { name, commit } = await aRepository();
      const into = await clone(name);
      await writeFile(join(into, "README.md"), "# Mine\n");
      await git(into, "commit", "--quiet", "-am", "Straight to main");
      for (const args of [
        ["HEAD:main"],
        ["--force", "HEAD:main"],
        ["--delete", "main"],
        ["--force", "HEAD:main", "HEAD:refs/heads/other"],
        ["HEAD:refs/changes/1/head"],
        ["HEAD:refs/platform/x"],
      ]) {
        const pushed = await git(into, "push", "origin", ...args);
        expect(pushed.code).not.toBe(0);
        if (args.at(-1) === "main" || args.at(-1) === "HEAD:main")
          expect(pushed.said).toMatch(/remote: main is protected[^]*remote:   cairn changes open orders-\d+ my-change/);
      }
      expect(await forge.head(name)).toBe(commit);
      expect(await forge.head(name, "other")).toBeUndefined();
    });

    test("git clones, pushes a branch and is told how to go on; openChange() gives the same change again", async () => {
      const { name, commit } = await aRepository();
      const into = await clone(name);
      expect(await readFile(join(into, "README.md"), "utf8")).toBe("# Orders\n");
      const pushed = await push(into, "better", { "README.md": "# Orders, better\n" });
      expect(pushed.code).toBe(0);
      expect(pushed.said).toMatch(/remote:   cairn changes open orders-\d+ better/);

      await expect(open(name, "nothing")).rejects.toMatchObject({ code: "forge.branch_missing" });
      await expect(open(name, "main")).rejects.toMatchObject({ code: "forge.branch_is_default" });
      const [change, again] = await Promise.all([open(name, "better"), open(name, "better")]);
      expect(again).toEqual(change);
      expect(change).toMatchObject({
        number: 1,
        head: pushed.head,
        base: commit,
        state: "open",
        mergeable: true,
        conflicts: [],
        approvals: [],
        checks: [],
      });
      expect(await forge.changes({ repository: name, state: "open" })).toEqual([change]);

      const next = await push(into, "better", { "README.md": "# Orders, best\n" }, "better");
      expect(next.said).toContain(`changes/${name}/1`);
      expect(await forge.change(name, 1)).toMatchObject({ head: next.head, base: commit });
    });

    test("openChange() refuses a branch that changes nothing, or has nothing to do with main", async () => {
      const { name } = await aRepository();
      const into = await clone(name);
      await git(into, "push", "--quiet", "origin", "HEAD:refs/heads/same");
      await expect(open(name, "same")).rejects.toMatchObject({ code: "forge.nothing_to_merge" });
      await git(into, "switch", "--quiet", "--orphan", "alien");
      await git(into, "commit", "--quiet", "--allow-empty", "-m", "From elsewhere");
      await git(into, "push", "--quiet", "origin", "alien");
      await expect(open(name, "alien")).rejects.toMatchObject({ code: "forge.unrelated_history" });
    });

    test("setCheck() keeps the last word of each name, and a new head has none", async () => {
      const { name } = await aRepository();
      const into = await clone(name);
      const { head } = await push(into, "checked", { "a.txt": "a" });
      await open(name, "checked");
      const check = { name: "ci", state: "running" as const, summary: "building", details: [], link: null };
      await forge.setCheck(name, head, check);
      await forge.setCheck(name, head, {
        ...check,
        state: "failed",
        summary: "2 tests failed",
        details: ["a", "b"],
        link: "/api/ci-runs/1",
      });
      expect((await forge.change(name, 1)).checks).toMatchObject([
        { name: "ci", state: "failed", summary: "2 tests failed", details: ["a", "b"], link: "/api/ci-runs/1" },
      ]);
      await expect(forge.setCheck(name, "0".repeat(40), check)).rejects.toMatchObject({ code: "forge.revision_missing" });
      await push(into, "checked", { "a.txt": "b" }, "checked");
      expect((await forge.change(name, 1)).checks).toEqual([]);
    });

    test("checkout() puts exactly the commit into an empty folder", async () => {
      const { name } = await aRepository();
      const { commit } = await forge.createBranch({
        repository: name,
        branch: "code",
        files: someFiles({ "b.txt": "b" }),
        message: "b",
        author,
        at,
      });
      const into = join(folder, `checkout-${name}`);
      await forge.checkout(name, commit, into);
      expect((await git(into, "rev-parse", "HEAD")).out.trim()).toBe(commit);
      expect((await git(into, "status", "--porcelain")).out).toBe("");
      expect(await readFile(join(into, "b.txt"), "utf8")).toBe("b");
      await expect(forge.checkout(name, commit, into)).rejects.toMatchObject({ code: "forge.folder_not_empty" });
      await expect(forge.checkout(name, "0".repeat(40), join(folder, "none"))).rejects.toMatchObject({ code: "forge.revision_missing" });
    });

    test("commitObject() gives the bytes that the commit's id is the hash of, and the tree is in them", async () => {
      const { name } = await aRepository();
      const { commit, tree } = await forge.createBranch({
        repository: name,
        branch: "code",
        files: someFiles({ "b.txt": "b" }),
        message: "b",
        author,
        at,
      });
      const bytes = await forge.commitObject(name, commit);
      expect(treeOf(commit, bytes)).toBe(tree);
      expect(() => treeOf(commit, Buffer.concat([bytes, Buffer.from(" ")]))).toThrow(/commit/);
      await expect(forge.commitObject(name, "0".repeat(40))).rejects.toMatchObject({ code: "forge.revision_missing" });
    });

    test("removeRepository() leaves the name free, and repeating it is no error", async () => {
      const { name } = await aRepository();
      await forge.removeRepository(name);
      await forge.removeRepository(name);
      await expect(forge.head(name)).rejects.toMatchObject({ code: "forge.repository_missing" });
      await forge.createRepository({
        name,
        owner: "group:default/team-a",
        files: someFiles({ other: "content" }),
        message: "Begin",
        author,
        at,
      });
      expect(await forge.readFile(name, "main", "other")).toBe("content");
    });
  });

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { answer } from "@cairn/api";
import { tell } from "../answer.ts";
import { table } from "../print.ts";
import { session } from "../session.ts";

export function organisationCommands(program: Command): void {
  const org = program.command("org").description("teams and people");
  org
    .command("load <path>")
    .description("load teams, people and rotations (Group, User, Rotation) from a YAML file or a folder of them; again is no error")
    .action(async (path: string, _options, command: Command) => {
      const { api } = await session(process.env);
      const files = (await stat(path)).isDirectory()
        ? (await readdir(path)).filter((name) => /\.ya?ml$/.test(name)).map((name) => join(path, name))
        : [path];
      const texts = await Promise.all(files.sort().map((file) => readFile(file, "utf8")));
      tell(
        command,
        await answer(
          api.POST("/api/organisation", {
            body: texts.join("\n---\n") as never,
            bodySerializer: String,
            headers: { "content-type": "application/yaml" },
          }),
        ),
        (loaded) => `Loaded: ${loaded.created.length} new, ${loaded.updated.length} changed, ${loaded.unchanged.length} as they were.`,
      );
    });
  org
    .command("teams", { isDefault: true })
    .description("the teams")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/catalog/groups")), (groups) =>
        table(
          groups,
          [
            { title: "TEAM", value: (row) => row.name },
            { title: "NAME", value: (row) => row.title },
            { title: "MEMBERS", value: (row) => row.members.map((member) => member.displayName).join(", ") },
          ],
          "No team. Make one: cairn org create-team NAME",
        ),
      );
    });
  org
    .command("create-team <name>")
    .description("a team that can own services")
    .option("--shown-as <name>")
    .option("--member <user...>", "its members; without it you alone", [])
    .action(async (name: string, options: { shownAs?: string; member: string[] }, command: Command) => {
      const { api } = await session(process.env);
      const body = {
        name,
        ...(options.shownAs && { title: options.shownAs }),
        ...(options.member.length > 0 && { members: options.member }),
      };
      tell(command, await answer(api.POST("/api/catalog/groups", { body })), () => `Made ${name}.`);
    });
  org
    .command("link <person>")
    .description("make a one-time sign-in link for a person of the organisation")
    .action(async (name: string, _options, command: Command) => {
      const { api, url } = await session(process.env);
      const person = name.includes(":") ? name : `user:default/${name}`;
      const { token } = await answer(api.POST("/api/auth/links", { body: { person } }));
      tell(command, { person, link: `${url}/login#token=${token}` }, ({ link }) => link);
    });
  org
    .command("remove-team <team>")
    .description("remove a team that owns nothing; its people stay")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      await answer(api.DELETE("/api/catalog/groups/{name}", { params: { path: { name } } }));
      tell(command, { removed: name }, () => `Removed ${name}.`);
    });
  org
    .command("rotations")
    .description("who takes turns on call, by team")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/rotations")), (found) =>
        table(
          found.rotations,
          [
            { title: "ROTATION", value: (row) => row.name },
            { title: "TEAM", value: (row) => row.group.replace(/^group:default\//, "") },
            { title: "MEMBERS", value: (row) => row.members.map((ref) => ref.replace(/^user:default\//, "")).join(", ") },
            {
              title: "HANDOVER",
              value: (row) =>
                `${row.interval === 1 ? row.frequency : `every ${row.interval}, ${row.frequency}`} from ${row.start} (${row.timeZone})`,
            },
          ],
          "No rotation: all of a team is on call for what it owns. Write one: docs/incidents.md, then cairn org load FILE",
        ),
      );
    });
  org
    .command("remove-rotation <rotation>")
    .description("take a rotation away: from then on all of its team is on call")
    .action(async (name: string, _options, command: Command) => {
      const { api } = await session(process.env);
      await answer(api.DELETE("/api/rotations/{name}", { params: { path: { name } } }));
      tell(command, { removed: name }, () => `Removed ${name}: all of its team is on call from now on.`);
    });
}

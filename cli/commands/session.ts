import type { Command } from "commander";
import { answer, connect } from "@cairn/api";
import { readConfig } from "@cairn/platform/kernel/config.ts";
import { tell } from "../answer.ts";
import { facts, table, ago } from "../print.ts";
import { forget, httpUrl, platformUrl, remember, session } from "../session.ts";

export function sessionCommands(program: Command): void {
  program
    .command("login")
    .description("sign this terminal in, or make a sign-in link for a browser")
    .option("--link [url]", "print a new one-time link for a browser; with a URL: sign in by that link")
    .option("--url <url>", "the platform's address")
    .option("--token <token>", "sign in by an API token")
    .addHelpText("after", "\nOn the platform's own machine no option is needed.")
    .action(async (options: { link?: string | true; url?: string; token?: string }, command: Command) => {
      const config = readConfig(process.env);
      if (options.link === true) {
        const { signInLink } = await import("@cairn/platform/host.ts");
        const link = await signInLink(config);
        return tell(command, { link }, () => link);
      }
      const { url, token } = await credentials(options);
      const me = await answer(connect({ url, token }).GET("/api/auth/me"));
      await remember(process.env, url, token);
      tell(command, { url, principal: me.principal }, () => `Signed in to ${url} as ${me.principal.displayName}.`);
    });

  program
    .command("logout")
    .description("forget the token of the current platform")
    .action(async (_options, command: Command) => {
      const url = await platformUrl(process.env);
      await forget(process.env, url);
      tell(command, { url }, () => `Signed out of ${url}.`);
    });

  program
    .command("whoami")
    .description("who you are, and what you may do")
    .action(async (_options, command: Command) => {
      const { api, url } = await session(process.env);
      const me = await answer(api.GET("/api/auth/me"));
      tell(command, me, ({ principal }) =>
        facts([
          ["Name", principal.displayName],
          ["Reference", principal.ref],
          ["Platform", url],
          ["Teams", principal.groups.join(", ") || "none"],
          ["Scopes", principal.scopes.join(", ")],
        ]),
      );
    });

  const tokens = program.command("tokens").description("API tokens for programs and git");
  tokens
    .command("list", { isDefault: true })
    .description("your tokens")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/auth/tokens", {})), (rows) =>
        table(
          rows,
          [
            { title: "ID", value: (row) => row.id },
            { title: "NAME", value: (row) => row.name },
            { title: "SCOPES", value: (row) => row.scopes.join(",") },
            { title: "EXPIRES", value: (row) => ago(row.expiresAt, new Date()) },
          ],
          "No token. Make one: cairn tokens create NAME",
        ),
      );
    });
  tokens
    .command("create <name>")
    .description("make a token; it is shown this once")
    .option("--scope <scope...>", "read, write, admin", ["read", "write"])
    .option("--days <days>", "how long it lives", "90")
    .action(async (name: string, options: { scope: ("read" | "write" | "admin")[]; days: string }, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(api.POST("/api/auth/tokens", { body: { name, scopes: options.scope, expiresInDays: Number(options.days) } })),
        (made) => made.token,
      );
    });
  tokens
    .command("revoke <token>")
    .description("a revoked token works nowhere from then on")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      await answer(api.DELETE("/api/auth/tokens/{id}", { params: { path: { id } } }));
      tell(command, { id }, () => `Revoked ${id}.`);
    });
}

/** A token by what was given: itself, a link, or, on the platform's own machine, a link made now. */
async function credentials(options: { link?: string | true; url?: string; token?: string }): Promise<{ url: string; token: string }> {
  const config = readConfig(process.env);
  const given = typeof options.link === "string" ? new URL(httpUrl(options.link)) : undefined;
  const { hereAt, signInLink } = await import("@cairn/platform/host.ts");
  const url = httpUrl(options.url ?? given?.origin ?? (await hereAt(config)) ?? (await platformUrl(process.env)));
  if (options.token) return { url, token: options.token };
  const link = given ?? new URL(await signInLink(config));
  const code = new URLSearchParams(link.hash.slice(1)).get("token") ?? "";
  const redeemed = await answer(connect({ url }).POST("/api/auth/redeem", { body: { token: code, as: "token", name: "cairn login" } }));
  return { url, token: redeemed.token ?? "" };
}

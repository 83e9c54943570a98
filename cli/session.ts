import { chmod, mkdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { connect, type Api } from "@cairn/api";
import { Fault } from "@cairn/platform/kernel/faults.ts";

/** Where `cairn login` keeps what it got: one token for each platform, readable by this user only. */
interface Credentials {
  current: string | undefined;
  tokens: Record<string, string>;
}

const file = (env: NodeJS.ProcessEnv) => join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "cairn", "credentials.json");

async function read(env: NodeJS.ProcessEnv): Promise<Credentials> {
  const text = await readFile(file(env), "utf8").catch(() => "");
  if (!text) return { current: undefined, tokens: {} };
  try {
    return JSON.parse(text) as Credentials;
  } catch {
    throw new Fault("failed", "cli.credentials", `${file(env)} is no JSON`, "Remove it, then run: cairn login");
  }
}

/** Remembers a token for a platform and makes that platform the current one. */
export async function remember(env: NodeJS.ProcessEnv, url: string, token: string): Promise<void> {
  const known = await read(env);
  const path = file(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, JSON.stringify({ current: url, tokens: { ...known.tokens, [url]: token } }, null, 2), { mode: 0o600 });
  await chmod(`${path}.new`, 0o600);
  await rename(`${path}.new`, path);
}

/** Forgets the token of a platform; with the last one goes the file, and its folder where nothing else lies there. Gives whether others are left. */
export async function forget(env: NodeJS.ProcessEnv, url: string): Promise<boolean> {
  const {
    current,
    tokens: { [url]: gone, ...tokens },
  } = await read(env);
  const others = Object.keys(tokens).length > 0;
  if (!others) {
    await rm(file(env), { force: true });
    await rmdir(dirname(file(env))).catch(() => {}); // rules were pulled into it
  }
  if (gone === undefined || !others) return others;
  const left: Credentials = { current: current === url ? undefined : current, tokens };
  await writeFile(file(env), JSON.stringify(left, null, 2), { mode: 0o600 });
  return true;
}

/** The platform that commands speak to: CAIRN_URL, else the one signed in to last, else this machine's. */
export async function platformUrl(env: NodeJS.ProcessEnv): Promise<string> {
  return httpUrl(env.CAIRN_URL || (await read(env)).current || `http://127.0.0.1:${env.CAIRN_PORT || 7070}`);
}

/** An address as it is compared and kept: without a slash at its end. Throws `cli.url`. */
export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new Fault("invalid", "cli.url", `${text} is no address of a platform`, "Write it like http://127.0.0.1:7070.");
  return text.replace(/\/$/, "");
}

export interface Session {
  url: string;
  token: string;
  api: Api;
}

/** A signed-in session: by CAIRN_TOKEN, else by what `cairn login` kept. Throws `cli.not_signed_in`. */
export async function session(env: NodeJS.ProcessEnv): Promise<Session> {
  const url = await platformUrl(env);
  const token = env.CAIRN_TOKEN || (await read(env)).tokens[url];
  if (!token) throw new Fault("unauthenticated", "cli.not_signed_in", `Not signed in to ${url}`, "Run: cairn login");
  return { url, token, api: connect({ url, token }) };
}

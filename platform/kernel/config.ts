import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "./faults.ts";

/** What the environment says: read once, at the edge. */
export interface Config {
  /** Everything that Cairn keeps outside the database lies below this folder. */
  home: string;
  /** The port of portal and API on 127.0.0.1. */
  port: number;
  /** A PostgreSQL of one's own instead of the embedded one. */
  databaseUrl: string | undefined;
  /** A bootstrap administrator token for automation. */
  adminToken: string | undefined;
  /** Golden paths, policies, environments and prices: what the platform team edits. */
  library: string;
}

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Reads CAIRN_HOME (default: `cairn` in the XDG data directory), CAIRN_PORT (7070), CAIRN_DATABASE_URL, CAIRN_ADMIN_TOKEN and CAIRN_LIBRARY (the checkout's library). */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const home = resolve(env.CAIRN_HOME || join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "cairn"));
  const port = Number(env.CAIRN_PORT || 7070);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Fault("invalid", "config.port", `CAIRN_PORT is ${env.CAIRN_PORT}, not a port`, "Set it to a number from 1 to 65535.");
  if (env.CAIRN_ADMIN_TOKEN !== undefined && env.CAIRN_ADMIN_TOKEN.length < 24)
    throw new Fault(
      "invalid",
      "config.admin_token",
      "CAIRN_ADMIN_TOKEN is shorter than 24 characters",
      "Set one that can't be guessed: openssl rand -base64 32",
    );
  return {
    home,
    port,
    databaseUrl: env.CAIRN_DATABASE_URL || undefined,
    adminToken: env.CAIRN_ADMIN_TOKEN || undefined,
    library: resolve(env.CAIRN_LIBRARY || join(checkout, "library")),
  };
}

/** Where things lie below CAIRN_HOME. Each is made by its owner, private to the user. */
export const places = (home: string) => ({
  agent: join(home, "agent"),
  postgres: join(home, "postgres"),
  forge: join(home, "forge"),
  ci: join(home, "ci"),
  artifacts: join(home, "artifacts"),
  services: join(home, "services"),
  secrets: join(home, "secrets"),
  keys: join(home, "keys"),
  ledger: join(home, "ledger"),
  logs: join(home, "logs"),
  npmCache: join(home, "npm-cache"),
});

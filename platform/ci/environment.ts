import { copyFile, stat } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { reachableByOthers } from "../kernel/other-users.ts";

/**
 * What a build inherits of its machine's environment, by name. Everything else stays behind: it may hold tokens, and a build that depends on it is not repeatable.
 * These say where packages come from and which authorities to trust.
 */
const INHERITED = [
  "npm_config_registry", "npm_config_cafile", "npm_config_proxy", "npm_config_https_proxy", "npm_config_noproxy", "npm_config_strict_ssl", "NODE_EXTRA_CA_CERTS",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
  "PIP_INDEX_URL", "PIP_CERT", "REQUESTS_CA_BUNDLE", "UV_INDEX_URL", "GOPROXY", "GONOSUMDB", "GOSUMDB", "GOFLAGS", "CARGO_HTTP_CAINFO", "MAVEN_ARGS", "BUNDLE_MIRROR__ALL", "TZ",
] as const; // prettier-ignore

/** Of these the ones that name a file. */
const FILES = ["npm_config_cafile", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CARGO_HTTP_CAINFO"] as const; // prettier-ignore

/** What a build gets of ~/.npmrc: where packages come from. Scoped registries (`@scope:registry`) come along; tokens do not. */
const NPMRC_KEYS = [
  "registry",
  "cafile",
  "ca",
  "proxy",
  "https-proxy",
  "noproxy",
  "strict-ssl",
  "omit-lockfile-registry-resolved",
] as const;

export interface EnvironmentParts {
  /** The machine's environment. */
  from: NodeJS.ProcessEnv;
  /** Folder of the pinned node: first in PATH. */
  nodeFolder: string;
  home: string;
  temp: string;
  npmCache?: string | undefined;
  /** Marks every process of the run, so that what it leaves behind is found. */
  mark: string;
  /** Names of further variables that this platform's owner lets through, tokens included. */
  alsoPass?: readonly string[];
}

/** The variable that marks the processes of a run. */
export const MARK = "CAIRN_CI_RUN";

/** The whole environment of a build. Values with a user or password in a URL are left out unless they are named in `alsoPass`. */
export function buildEnvironment(parts: EnvironmentParts): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = parts.from[name];
    if (value !== undefined && value !== "" && !hasCredentials(value)) env[name] = value;
  }
  for (const [name, value] of Object.entries(parts.from))
    if (/^npm_config_@[a-z0-9_.-]+:registry$/i.test(name) && value && !hasCredentials(value)) env[name] = value;
  for (const name of parts.alsoPass ?? []) {
    const value = parts.from[name];
    if (value !== undefined) env[name] = value;
  }
  return {
    ...env,
    PATH: [parts.nodeFolder, ...programFolders(parts.from.PATH)].join(":"),
    HOME: parts.home,
    TMPDIR: parts.temp,
    LANG: "C.UTF-8",
    CI: "true",
    ...(parts.npmCache !== undefined && { npm_config_cache: parts.npmCache, npm_config_prefer_offline: "true" }),
    npm_config_update_notifier: "false",
    npm_config_fund: "false",
    npm_config_audit: "false",
    [MARK]: parts.mark,
  };
}

/**
 * The environment with copies, in `folder`, of files that it names and that not everybody can reach: a build under another user would not find its certificates. Without a folder as it was.
 */
export async function withReachableFiles(env: Record<string, string>, folder: string | undefined): Promise<Record<string, string>> {
  if (folder === undefined) return env;
  const changed = { ...env };
  for (const name of FILES) {
    const path = env[name];
    if (path === undefined || !isAbsolute(path) || ((await reachableByOthers(dirname(path))) && (await isReadableByOthers(path)))) continue;
    const copy = join(folder, `.${name}.pem`);
    const copied = await copyFile(path, copy).then(() => true, () => false); // prettier-ignore
    if (!copied) continue;
    changed[name] = copy;
  }
  return changed;
}

const isReadableByOthers = (path: string): Promise<boolean> =>
  stat(path).then(({ mode }) => (mode & 0o004) !== 0, () => false); // prettier-ignore

/** The further names that the platform's owner lets through: CAIRN_CI_PASS, separated by commas. */
export const passedOn = (env: NodeJS.ProcessEnv): string[] =>
  (env.CAIRN_CI_PASS ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

/** The lines of an .npmrc that a build may see. `alsoPass` names further keys, such as `//registry.example/:_authToken`. */
export function allowedNpmrc(text: string, alsoPass: readonly string[] = []): string {
  const lines = text.split("\n").filter((line) => {
    const key = /^\s*([^=;#\s]+?)(?:\[\])?\s*=/.exec(line)?.[1];
    if (key === undefined) return false;
    if (alsoPass.includes(key)) return true;
    return ((NPMRC_KEYS as readonly string[]).includes(key) || /^@[^/:]+:registry$/.test(key)) && !hasCredentials(line);
  });
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

const hasCredentials = (value: string): boolean => /:\/\/[^/\s]*@/.test(value);

/** Folders of programs without those of some package's own tools: a build brings its own. */
const programFolders = (path: string | undefined): string[] =>
  (path ?? "/usr/local/bin:/usr/bin:/bin").split(":").filter((folder) => folder.startsWith("/") && !folder.includes("/node_modules/"));

import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cairnProgram, commandsBelow, nameOf } from "../cli/program.ts";
import { Contract } from "../platform/ci/contract.ts";
import { Builders } from "../platform/evidence/builders.ts";
import { Offer, Template } from "../platform/golden-paths/model.ts";
import { PriceList } from "../platform/infra/prices.ts";
import { PolicyDocument } from "../platform/policy/bundle.ts";
import { PolicySubject } from "../platform/policy/model.ts";
import { EnvironmentsFile, TiersFile } from "../platform/releases/environments.ts";
import { WindowRule } from "../platform/releases/windows.ts";
import { FACTS, FIELDS, INTERNAL, VARIABLES } from "./reference-notes.ts";

/** As much of a zod schema as is asked here. */
interface Schema {
  toJSONSchema(params: { io: "input"; unrepresentable: "any"; reused: "inline" }): unknown;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, "docs", "reference.md");

/** Writes the parts of docs/reference.md that stand between `<!-- generated: NAME -->` and `<!-- end -->`. With --check it writes nothing and fails where they differ. */
const SCHEMAS: Record<string, Schema> = {
  "cairn.yaml": Contract,
  "template.yaml": Template,
  "golden-path.yaml": Offer,
  "policy.yaml": PolicyDocument,
  "environments.yaml": EnvironmentsFile,
  "tiers.yaml": TiersFile,
  "windows.yaml": WindowRule,
  "prices/local.yaml": PriceList,
  "builders.yaml": Builders,
};

const parts: Record<string, string> = {
  commands: commands(),
  routes: await routes(),
  variables: await variables(),
  facts: facts(),
  ...Object.fromEntries(Object.keys(SCHEMAS).map((name) => [name, fields(name)])),
};

const before = await readFile(page, "utf8");
const named = new Set<string>();
const after = before.replaceAll(
  /(<!-- generated: (.+?) -->\n)[\s\S]*?(<!-- end -->)/g,
  (_all, begin: string, name: string, end: string) => {
    named.add(name);
    const part = parts[name];
    if (part === undefined) throw new Error(`docs/reference.md asks for ${name}, which nothing generates`);
    return `${begin}${part}\n${end}`;
  },
);
const left = Object.keys(parts).filter((name) => !named.has(name));
if (left.length > 0) throw new Error(`docs/reference.md has no place for ${left.join(", ")}`);
if (!process.argv.includes("--check")) await writeFile(page, after);
else if (after !== before) {
  console.error("docs/reference.md is not what the code says: run node scripts/generate-reference.ts and commit it");
  process.exitCode = 1;
}

function table(titles: string[], rows: string[][]): string {
  const cell = (text: string) => text.replaceAll("|", String.raw`\|`).replaceAll("\n", " ");
  return [titles, titles.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
}

function commands(): string {
  const hidden = new Set(["link", "complete", "git-credential", "help"]);
  const leaves = commandsBelow(cairnProgram()).filter((command) => command.commands.length === 0 && !hidden.has(nameOf(command)));
  return table(
    ["command", "what", "options"],
    leaves.map((command) => {
      const usage = [
        "cairn",
        nameOf(command),
        ...command.registeredArguments.map((one) => argument(one.name(), one.required, one.variadic)),
      ];
      const required = command.options.filter(({ mandatory }) => mandatory).map(({ flags }) => flags.replace(/^-\w, /, ""));
      const others = command.options.filter(({ mandatory }) => !mandatory).map(({ flags }) => `\`${flags.replace(/^(-\w), /, "$1 ")}\``);
      return [`\`${[...usage, ...required].join(" ")}\``, command.description(), others.join(", ")];
    }),
  );
}

function argument(name: string, required: boolean, variadic: boolean): string {
  const word = `${name}${variadic ? "..." : ""}`;
  return required ? `<${word}>` : `[${word}]`;
}

async function routes(): Promise<string> {
  const { paths } = JSON.parse(await readFile(join(root, "api", "openapi.json"), "utf8")) as {
    paths: Record<string, Record<string, { tags?: string[]; summary?: string; operationId?: string }>>;
  };
  const rows = Object.entries(paths)
    .filter(([path]) => !path.startsWith("/api/catalog/services")) // the same as /services
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { tags, summary, operationId }]) => ({
        tag: tags?.[0] ?? "",
        row: [`\`${method.toUpperCase()} ${path}\``, summary ?? "", `\`${operationId}\``],
      })),
    );
  const tags = [...new Set(rows.map(({ tag }) => tag))].toSorted();
  return tags
    .map(
      (tag) =>
        `#### ${tag}\n\n${table(
          ["route", "what", "operation"],
          rows.filter((one) => one.tag === tag).map(({ row }) => row),
        )}`,
    ) // prettier-ignore
    .join("\n\n");
}

/** Every CAIRN_ variable that code names is either a person's, with a note, or one that parts hand to each other. */
async function variables(): Promise<string> {
  const folders = ["platform", "agent", "cli", "scripts", "e2e", "bench"];
  const files = (await Promise.all(folders.map((folder) => sources(join(root, folder))))).flat();
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
  const inCode = new Set(texts.flatMap((text) => [...text.matchAll(/\bCAIRN_[A-Z]+(?:_[A-Z]+)*\b/g)].map(([name]) => name)));
  same("environment variables", [...inCode].filter((name) => !INTERNAL.has(name)), Object.keys(VARIABLES)); // prettier-ignore
  return table(["variable", "read by", "what, and what holds unless it is set"], Object.entries(VARIABLES).map(([name, { readBy, what }]) => [`\`${name}\``, readBy, what])); // prettier-ignore
}

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" || entry.name === "skeleton" ? [] : sources(path);
    return /\.(ts|sh)$/.test(entry.name) && !/\.test\.ts$|reference-notes/.test(entry.name) ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

function facts(): string {
  const rows = leaves(jsonSchema(PolicySubject), "", "TIER");
  // A note about a group stands at its first fact.
  const noted = new Set<string>();
  const told = rows.map(({ path, type }) => {
    const words = path.replaceAll("[]", "").split(".");
    const notes = words.flatMap((_, at) => {
      const name = words.slice(0, at + 1).join(".");
      if (FACTS[name] === undefined || noted.has(name)) return [];
      noted.add(name);
      return [FACTS[name]];
    });
    return [`\`object.${path}\``, type, notes.join("; ")];
  });
  const strangers = Object.keys(FACTS).filter((name) => !noted.has(name));
  if (strangers.length > 0) throw new Error(`There is no fact ${strangers.join(", ")}`);
  return table(["fact", "type", "what"], told);
}

function fields(name: string): string {
  const schema = SCHEMAS[name];
  if (!schema) throw new Error(name);
  const below = name === "windows.yaml" ? "windows[]" : "";
  const rows = leaves(jsonSchema(schema), below, name.startsWith("prices") ? "TYPE" : "TIER");
  same(`fields of ${name}`, rows.map(({ path }) => path), Object.keys(FIELDS[name] ?? {})); // prettier-ignore
  return table(
    ["field", "type", "unless set", "what"],
    rows.map(({ path, type, unlessSet }) => [`\`${path}\``, type, unlessSet, FIELDS[name]?.[path] ?? ""]),
  );
}

function same(what: string, code: string[], notes: string[]): void {
  const [missing, stale] = [code.filter((one) => !notes.includes(one)), notes.filter((one) => !code.includes(one))];
  if (missing.length + stale.length === 0) return;
  throw new Error(`scripts/reference-notes.ts, ${what}: no note for [${missing.join(", ")}]; notes for nothing: [${stale.join(", ")}]`);
}

interface Leaf {
  path: string;
  type: string;
  unlessSet: string;
}

interface Json {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Json[];
  oneOf?: Json[];
  properties?: Record<string, Json>;
  required?: string[];
  additionalProperties?: Json | boolean;
  items?: Json;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  $ref?: string;
  $defs?: Record<string, Json>;
}

function jsonSchema(schema: Schema): Json {
  return schema.toJSONSchema({ io: "input", unrepresentable: "any", reused: "inline" }) as Json;
}

/** The fields that hold values, by their path; those of a list under `[]`, those of a map under the word for its keys. */
function leaves(schema: Json, path: string, key: string, required = true, definitions = schema.$defs ?? {}): Leaf[] {
  const whole = (one: Json): Json => (one.$ref ? { ...definitions[one.$ref.replace("#/$defs/", "")], ...one, $ref: "" } : one);
  const branches = (schema.anyOf ?? schema.oneOf ?? [schema]).map(whole).filter(({ type }) => type !== "null");
  const nullable = (schema.anyOf ?? []).some(({ type }) => type === "null");
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  const deeper = branches.flatMap((one) => {
    const items = one.items && whole(one.items);
    if (items && (items.properties ?? items.anyOf ?? items.oneOf)) return leaves(items, `${path}[]`, key, true, definitions);
    if (one.properties)
      return Object.entries(one.properties).flatMap(([name, child]) =>
        leaves(child, below(name), key, one.required?.includes(name) ?? false, definitions),
      );
    const values = typeof one.additionalProperties === "object" ? whole(one.additionalProperties) : undefined;
    return values?.properties ? leaves(values, below(key), key, true, definitions) : [];
  });
  if (deeper.length > 0) return deeper.filter((leaf, at) => deeper.findIndex((other) => other.path === leaf.path) === at);
  const types = [...new Set(branches.map(typeOf))].join(" or ");
  const unlessSet = schema.default !== undefined ? `\`${JSON.stringify(schema.default)}\`` : required ? "required" : "";
  return [{ path, type: nullable ? `${types} or null` : types, unlessSet }];
}

function typeOf(schema: Json): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.type === "array") return `list of ${schema.items ? typeOf(schema.items) : "anything"}`;
  if (schema.type === "object" || schema.type === undefined) return "object";
  const { minimum, maximum } = schema;
  const bounds = minimum !== undefined && maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? ` ${minimum} to ${maximum}` : "";
  return `${[schema.type].flat().join(" or ")}${bounds}`;
}

import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@cairn/platform/kernel/processes.ts";
import { openApiDocument } from "@cairn/platform/server/surface.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Writes api/openapi.json and the client's types from the server's routes. With --check it writes nothing and fails where they differ. */
const document = `${JSON.stringify(await openApiDocument(), null, 1)}\n`;
const path = join(root, "api", "openapi.json");
if (process.argv.includes("--check")) {
  const committed = await readFile(path, "utf8").catch(() => "");
  if (committed !== document) {
    console.error("api/openapi.json is not what the server offers: run npm run generate-api and commit it");
    process.exitCode = 1;
  }
} else {
  await writeFile(path, document);
  const made = await run(
    process.execPath,
    [join(root, "api/node_modules/openapi-typescript/bin/cli.js"), path, "-o", join(root, "api", "schema.ts")],
    { env: process.env },
  );
  if (made.code !== 0) throw new Error(made.stderr.toString());
  console.log(`${Object.keys((JSON.parse(document) as { paths: object }).paths).length} paths`);
}

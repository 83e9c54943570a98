/** `npm run bench -- NAME [OPTIONS]` runs bench/NAME.ts; `NAME/PART` one of its parts, where it has some. */
const [name = "", ...options] = process.argv.slice(2);
const [, file, part] = /^([a-z][a-z-]*)(?:\/([a-z][a-z-]*))?$/.exec(name) ?? [];
if (!file || file === "main") {
  console.error("usage: npm run bench -- cel | path | path/PART [--json FILE]");
  process.exit(2);
}
const { default: bench } = (await import(`./${file}.ts`)) as { default: (part?: string, options?: string[]) => void | Promise<void> };
await bench(part, options);

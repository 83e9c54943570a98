/** `npm run bench -- NAME` runs bench/NAME.ts. */
const name = process.argv[2] ?? "";
if (!/^[a-z][a-z-]*$/.test(name)) {
  console.error("usage: npm run bench -- NAME");
  process.exit(2);
}
const { default: bench } = (await import(`./${name}.ts`)) as { default: () => void | Promise<void> };
await bench();

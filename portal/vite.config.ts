import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const PLATFORM = process.env.CAIRN_URL ?? "http://127.0.0.1:7070";

/** Puts a compressed file beside each that is worth it: the server sends it as it is. */
const compressed = (): Plugin => ({
  name: "compressed",
  apply: "build",
  async writeBundle({ dir = "dist" }) {
    const folder = join(dir, "assets");
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const content = await readFile(path);
      if (!/\.(js|css|svg)$/.test(name) || content.length < 1024) continue;
      await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
      await writeFile(`${path}.br`, await promisify(brotliCompress)(content));
    }
  },
});

/** Puts the stylesheet below what index.html paints by itself, which need not wait for it; scripts still do. */
const stylesBelow = (): Plugin => ({
  name: "styles-below",
  apply: "build",
  transformIndexHtml: {
    order: "post",
    handler(html) {
      const [sheet = ""] = /<link rel="stylesheet"[^>]*>/.exec(html) ?? [];
      const early = sheet.replace('rel="stylesheet"', 'rel="preload" as="style"');
      return html.replace(sheet, early).replace('<div id="root">', `${sheet}\n    <div id="root">`);
    },
  },
});

/** `CAIRN_URL=http://127.0.0.1:7070 npx vite` serves the portal with a platform behind it. */
export default defineConfig({
  plugins: [react(), compressed(), stylesBelow()],
  build: {
    target: "es2023",
    // With light-dark() as it is: the scheme is chosen by the document, not only by the system.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    assetsDir: "assets",
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: Object.fromEntries(["/api", "/openapi.json"].map((path) => [path, { target: PLATFORM, changeOrigin: true }])) },
});

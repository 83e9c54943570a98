import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `CAIRN_URL=http://127.0.0.1:7070 npx vite` serves the portal with a platform behind it. */
export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // With light-dark() as it is: the scheme is chosen by the document, not only by the system.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    assetsDir: "assets",
    sourcemap: false,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/openapi.json"].map((path) => [path, { target: process.env.CAIRN_URL ?? "http://127.0.0.1:7070", changeOrigin: true }]),
    ),
  },
});

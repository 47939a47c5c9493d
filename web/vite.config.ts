import { fileURLToPath } from "node:url";

import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const PAGES = { index: "index.html", dashboard: "dashboard.html", docs: "docs.html" };
const api = process.env.CLIPLINE_URL ?? "http://127.0.0.1:8000";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The API serves the pages without their suffix; so does the development server. */
function pagesWithoutSuffix(): Plugin {
  return {
    name: "pages-without-suffix",
    configureServer(server): void {
      server.middlewares.use((request, _response, next) => {
        request.url = request.url?.replace(/^\/(dashboard|docs)(?=$|[?#])/, "/$1.html");
        next();
      });
    },
  };
}

export default defineConfig({
  appType: "mpa",
  base: "./",
  plugins: [pagesWithoutSuffix()],
  build: {
    outDir: here("../api/static"),
    emptyOutDir: true,
    // A data: URL would not pass a font or script policy of 'self'; a file always does.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: Object.fromEntries(Object.entries(PAGES).map(([name, page]) => [name, here(page)])) },
  },
  server: {
    proxy: {
      "/v1": { target: api, ws: true, changeOrigin: true },
      "/openapi.json": { target: api, changeOrigin: true },
    },
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});

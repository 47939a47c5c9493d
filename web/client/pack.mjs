/** Builds the package @clipline/client and packs it: `npm run pack`, or `npm run pack -- FOLDER`. */

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const run = (program, ...given) => execFileSync(program, given, { cwd: here(".."), stdio: ["ignore", "inherit", "inherit"] });

const folder = resolve(process.argv[2] ?? here("../../dist"));
const made = mkdtempSync(join(tmpdir(), "clipline-client-"));
try {
  run(process.execPath, here("../node_modules/typescript/bin/tsc"), "-p", here("tsconfig.json"), "--outDir", join(made, "dist"));
  for (const file of ["package.json", "README.md", "../../LICENSE"]) copyFileSync(here(file), join(made, file.split("/").at(-1)));
  mkdirSync(folder, { recursive: true });
  run("npm", "pack", made, "--silent", "--pack-destination", folder);
} finally {
  rmSync(made, { recursive: true });
}

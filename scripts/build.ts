/*
 * Compiles dist/sluice, one file that runs from an empty folder.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { BunPlugin } from "bun";
import { version } from "../package.json";

const root = join(import.meta.dir, "..");

await import("./assets.ts");

/** onnxruntime-node requires its binding beside itself; in the binary it is already open. */
const onnxruntimeFromSlot: BunPlugin = {
  name: "onnxruntime-from-slot",
  setup(build) {
    build.onLoad({ filter: /onnxruntime-node\/dist\/binding\.js$/ }, async ({ path }) => {
      const source = await Bun.file(path).text();
      const contents = source.replace(
        /require\(`\.\.\/bin\/[^)]*\)/,
        'globalThis[Symbol.for("sluice.onnxruntime")]',
      );
      if (contents === source) throw new Error(`${path}: the loader's require was not found.`);
      return { contents, loader: "js" };
    });
  },
};

const target = join(root, "dist", "sluice");
const aside = `${target}.tmp-${process.pid}`;
const result = await Bun.build({
  // Nothing imports the threads' file: they are started by its name.
  entrypoints: [join(root, "src", "main.ts"), join(root, "src", "kernels-worker.ts")],
  compile: { outfile: aside, autoloadDotenv: false, autoloadBunfig: false },
  minify: true,
  // 13 MB more, and no parsing at the start: a third of the time until it listens.
  bytecode: true,
  format: "esm",
  sourcemap: "none",
  define: { "process.env.SLUICE_VERSION": JSON.stringify(version) },
  plugins: [onnxruntimeFromSlot],
});
if (!result.success) {
  for (const log of result.logs) console.error(log);
  process.exit(1);
}
await rename(aside, target);
console.log(`built ${target} ${(Bun.file(target).size / 1e6).toFixed(1)} MB`);

/*
 * Makes build/assets: what the program carries besides its own code, zstd-compressed: ONNX
 * Runtime for this platform, PGlite's parts, the image of a new database, the script of the page at
 * /docs, and the compiled kernels of training.
 * Does nothing when they are there already for the same package versions.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { makeCluster } from "./cluster.ts";
import { makeKernels } from "./kernels.ts";

const compress = promisify(zstdCompress);
const settings = { [constants.ZSTD_c_compressionLevel]: 16 };

const root = join(import.meta.dir, "..");
const folder = join(root, "build", "assets");
const modules = join(root, "node_modules");
const { platform, arch } = process;

const versionOf = async (name: string): Promise<string> =>
  (await Bun.file(join(modules, name, "package.json")).json()).version;

const ort = join(modules, "onnxruntime-node/bin/napi-v6", platform, arch);
const pglite = join(modules, "@electric-sql/pglite/dist");
const sources: Record<string, string> = {
  "onnxruntime_binding.node": join(ort, "onnxruntime_binding.node"),
  "libonnxruntime.so": join(ort, "libonnxruntime.so.1"),
  "pglite.wasm": join(pglite, "pglite.wasm"),
  "pglite.data": join(pglite, "pglite.data"),
  "swagger-ui.js": join(modules, "swagger-ui-dist/swagger-ui-bundle.js"),
};

const stamp = JSON.stringify({
  platform,
  arch,
  ort: await versionOf("onnxruntime-node"),
  pglite: await versionOf("@electric-sql/pglite"),
  swagger: await versionOf("swagger-ui-dist"),
  script: Bun.hash(await readFile(import.meta.path)).toString(16),
});

const stampFile = join(folder, "stamp.json");
if ((await readFile(stampFile, "utf8").catch(() => "")) !== stamp) await make();
await makeKernels();
await makeCluster();

async function make(): Promise<void> {
  const aside = `${folder}.tmp-${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  const files = Object.entries(sources).map(async ([name, path]) =>
    pack(aside, name, await readFile(path)),
  );
  await Promise.all(files);
  await writeFile(join(aside, "stamp.json"), stamp);
  await rm(folder, { recursive: true, force: true });
  await rename(aside, folder);
}

/** A megabyte larger than by the strongest setting, in a third of its minute. */
async function pack(aside: string, name: string, bytes: Uint8Array): Promise<void> {
  const packed = await compress(bytes, { params: settings });
  await writeFile(join(aside, `${name}.zst`), packed);
  const mb = (n: number) => (n / 1e6).toFixed(1);
  console.log(`assets: ${name} ${mb(bytes.length)} -> ${mb(packed.length)} MB`);
}

/*
 * What the program carries besides its code (scripts/assets.ts packs it): the native libraries
 * and the database's parts, compressed. Libraries must be real files before the operating system
 * can load them, so they are unpacked once into a private folder under a name that holds their
 * digest; everything else is unpacked in memory.
 */
import { chmod, mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import cluster from "../build/assets/cluster.tar.zst" with { type: "file" };
import kernels from "../build/assets/kernels.wasm.zst" with { type: "file" };
import library from "../build/assets/libonnxruntime.so.zst" with { type: "file" };
import binding from "../build/assets/onnxruntime_binding.node.zst" with { type: "file" };
import pgliteData from "../build/assets/pglite.data.zst" with { type: "file" };
import pgliteWasm from "../build/assets/pglite.wasm.zst" with { type: "file" };
import swaggerScript from "../build/assets/swagger-ui.js.zst" with { type: "file" };

const packed = { cluster, kernels, library, binding, pgliteData, pgliteWasm, swaggerScript };

export type AssetName = keyof typeof packed;

/** The bytes of an embedded asset, decompressed in memory. */
export async function readAsset(name: AssetName): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await Bun.zstdDecompress(await Bun.file(packed[name]).arrayBuffer());
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Unpacks assets side by side into `folder` (made 0700) as `files[asset]`, unless they are there,
 * and returns the folder that holds them: its name is the digest of what was packed.
 */
export async function unpackAssets(
  folder: string,
  files: Partial<Record<AssetName, string>>,
): Promise<string> {
  const entries = Object.entries(files) as [AssetName, string][];
  const hash = new Bun.CryptoHasher("sha256");
  for (const [name] of entries) hash.update(await Bun.file(packed[name]).arrayBuffer());
  const target = join(folder, hash.digest("hex").slice(0, 16));
  await mkdir(target, { recursive: true, mode: 0o700 });
  await chmod(target, 0o700);
  for (const [name, file] of entries) {
    const path = join(target, file);
    if (await isFile(path)) continue;
    // Written aside and renamed, so that a kill or a second process never meets half a library.
    const aside = `${path}.${crypto.randomUUID()}`;
    await writeFile(aside, await readAsset(name), { mode: 0o700 });
    await rename(aside, path);
  }
  return target;
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (s) => s.isFile(),
    () => false,
  );

/*
 * Makes build/assets/kernels.wasm.zst from kernels/gbdt.ts, unless it is there already for the
 * same source and compiler.
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const root = join(import.meta.dir, "..");
const source = join(root, "kernels", "gbdt.ts");
const target = join(root, "build", "assets", "kernels.wasm.zst");

const flags = [
  "-O3",
  "--noAssert",
  ...["--runtime", "stub"],
  // Workers share the memory; it is given by whoever starts the kernels.
  ...["--enable", "simd", "--enable", "threads", "--sharedMemory", "--importMemory"],
  ...["--initialMemory", "1", "--maximumMemory", "65536"],
  // Constants lie in the first page behind what src/learn/gbdt/team.ts keeps there.
  ...["--memoryBase", "32768"],
];

/** Compiles the kernels if need be. */
export async function makeKernels(): Promise<void> {
  const text = await readFile(source, "utf8");
  const compiler = await Bun.file(join(root, "node_modules/assemblyscript/package.json")).json();
  const stamp = Bun.hash(JSON.stringify([text, flags, compiler.version])).toString(16);
  const stampFile = `${target}.stamp`;
  const isMade = (await Bun.file(target).exists()) && (await Bun.file(stampFile).exists());
  if (isMade && (await readFile(stampFile, "utf8")) === stamp) return;
  const packed = await Bun.zstdCompress(await compile(text), { level: 19 });
  await mkdir(join(root, "build", "assets"), { recursive: true });
  const aside = `${target}.tmp-${process.pid}`;
  await writeFile(aside, packed);
  await rename(aside, target);
  await writeFile(stampFile, stamp);
  console.log(`assets: kernels.wasm ${(packed.length / 1e3).toFixed(1)} kB`);
}

async function compile(text: string): Promise<Uint8Array<ArrayBuffer>> {
  let made: Uint8Array | null = null;
  const { error, stderr } = await asc.main(["gbdt.ts", "--outFile", "gbdt.wasm", ...flags], {
    readFile: (name) => (name === "gbdt.ts" ? text : null),
    writeFile: (name, contents) => {
      if (name === "gbdt.wasm" && typeof contents !== "string") made = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || made === null) throw error ?? new Error(stderr.toString());
  return Uint8Array.from(made);
}

if (import.meta.main) await makeKernels();

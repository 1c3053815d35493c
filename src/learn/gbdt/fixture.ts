/* The compiled kernels, for tests of this room; nothing else imports it. */
import { makeKernels } from "../../../scripts/kernels.ts";
import type { Kernels } from "./kernels.ts";
import { callsOf, makeMemory, makeWasmKernels } from "./wasm.ts";

export const wasmForTests = async (): Promise<Kernels> => {
  await makeKernels();
  const packed = Bun.file(`${import.meta.dir}/../../../build/assets/kernels.wasm.zst`);
  const bytes = Bun.zstdDecompressSync(await packed.arrayBuffer());
  const memory = makeMemory();
  return makeWasmKernels(callsOf(new WebAssembly.Module(bytes), memory), memory);
};

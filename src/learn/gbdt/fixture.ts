/* The compiled kernels, for tests of this room; nothing else imports it. */
import { makeKernels } from "../../../scripts/kernels.ts";
import type { Kernels } from "./kernels.ts";
import { callsOf, makeMemory, makeWasmKernels } from "./wasm.ts";

export const moduleForTests = async (): Promise<WebAssembly.Module> => {
  await makeKernels();
  const packed = Bun.file(`${import.meta.dir}/../../../build/assets/kernels.wasm.zst`);
  return new WebAssembly.Module(Bun.zstdDecompressSync(await packed.arrayBuffer()));
};

export const wasmForTests = async (): Promise<Kernels> => {
  const memory = makeMemory();
  return makeWasmKernels(callsOf(await moduleForTests(), memory), memory);
};

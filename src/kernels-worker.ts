/*
 * A thread of a fit: it runs kernels on the memory that it is given until it is told to stop.
 * Started by kernels.ts; the build lists it, since nothing imports it.
 */
import { serveTeam } from "./learn/gbdt/team.ts";
import { callsOf } from "./learn/gbdt/wasm.ts";

declare const self: Worker;

export interface Start {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly member: number;
}

self.onmessage = ({ data }: MessageEvent<Start>) => {
  const calls = callsOf(data.module, data.memory);
  self.postMessage("ready");
  serveTeam(data.memory, calls, data.member);
  self.postMessage("stopped");
};

/*
 * Fits the engine here several times on a table that data.ts wrote; prints one line of JSON.
 *
 * ours.ts FOLDER plain|wasm THREADS TREES REPEATS
 */
import { readFileSync } from "node:fs";
import { startKernels } from "../../src/kernels.ts";
import { boost } from "../../src/learn/gbdt/fit.ts";
import { GBDT_DEFAULTS } from "../../src/learn/gbdt/options.ts";
import { plain } from "../../src/learn/gbdt/plain.ts";
import { sigmoid } from "../../src/learn/math.ts";
import { auc, logLoss } from "../../src/learn/metrics.ts";
import { marginsOf } from "../../src/learn/predict.ts";
import { readTable } from "./data.ts";

const [folder = "", kind = "wasm", threads = "1", trees = "100", repeats = "5"] =
  process.argv.slice(2);
const { train, test } = readTable(folder);
const { kernels, stop } =
  kind === "plain" ? { kernels: plain, stop: async () => {} } : await startKernels(Number(threads));
const fit = () => boost(train, { ...GBDT_DEFAULTS, rounds: Number(trees) }, 1, { kernels }).model;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};
const took: number[] = [];
const cpu: number[] = [];
let model = null;
for (let i = 0; i < Number(repeats); i++) {
  const [begun, begunCpu] = [performance.now(), cpuMs()];
  model = fit();
  took.push(performance.now() - begun);
  cpu.push(cpuMs() - begunCpu);
}
await stop();
// Before the judged rows are answered: that would be counted too.
const peakKb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
const p = marginsOf(model ?? fit(), test.frame).map(sigmoid);
console.log(
  JSON.stringify({
    took,
    cpu,
    peak_mb: peakKb / 1_024,
    auc: auc(p, test.target),
    log_loss: logLoss(p, test.target),
    digest: Bun.hash(Buffer.from(p.buffer)).toString(16),
  }),
);

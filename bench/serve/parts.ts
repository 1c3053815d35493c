/*
 * Where the time of a request goes inside the program: its own functions on the same rows, in this
 * process, one after the other, each warm. What is missing to a request that wrk sends is Bun's
 * reading and writing of HTTP and the kernel's sockets.
 *
 * parts.ts MODEL ADULT    the ONNX file, and the folder of the census files
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeApp } from "../../src/http/app.ts";
import { jsonOf } from "../../src/http/body.ts";
import { predictTable } from "../../src/http/table-predict.ts";
import { rowsOfTableJson } from "../../src/http/table-rows.ts";
import { config, makeWorld, servicesOf } from "../../src/http/testing.ts";
import { parseModel } from "../../src/models.ts";
import { asTable, openArtifact } from "../../src/serve/loaded.ts";
import { loadRuntime } from "../../src/serve/runtime.ts";
import { bodyOf, completeRows, type Form, MODEL_FILE } from "./rows.ts";
import { markdown } from "./table.ts";

const [model = "", adult = ""] = process.argv.slice(2);
/** So long each part is repeated, ms, five times over; the quickest time counts. */
const SPAN_MS = 150;

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-parts-"));
const runtime = await loadRuntime(folder);
const version = asTable(await openArtifact(runtime, readFileSync(model)));
const rows = completeRows(adult, 100);

const world = makeWorld();
world.models = new Map([["income", parseModel("income.toml", readFileSync(MODEL_FILE, "utf8"))]]);
world.champion = {
  ...version,
  model: "income",
  version: 1,
  digest: "d".repeat(64),
  since: 0,
  runId: null,
};
const services = servicesOf(world);
const app = makeApp({ config, log: services.log, services: () => services, starting: () => "" });

const ORIGIN = "http://127.0.0.1:1";
const columns = [await timesOf(1), await timesOf(100)];
rmSync(folder, { recursive: true, force: true });
console.log(
  markdown([
    ["part, µs", "1 row", "100 rows"],
    ...Object.keys(columns[0]!).map((part) => [
      part,
      ...columns.map((times) => times[part]!.toFixed(1)),
    ]),
  ]),
);
process.exit(0);

/** Microseconds of each part for a request of so many rows. */
async function timesOf(count: number): Promise<Record<string, number>> {
  const asking = (path: string, form: Form) => {
    const body = Buffer.from(bodyOf(form, rows.slice(0, count)));
    const headers = { "content-type": "application/json", "content-length": String(body.length) };
    const request = { method: "POST", headers, body };
    return async () => (await app.fetch(new Request(`${ORIGIN}${path}`, request))).text();
  };
  const bytes = Buffer.from(bodyOf("instances", rows.slice(0, count)));
  const ask = asking("/v1/models/income/predict", "instances");
  const infer = asking("/v2/models/income/infer", "v2");
  const parsed = jsonOf(bytes);
  const request = rowsOfTableJson(parsed, version.facts);
  const predictions = await predictTable(version, request, false);
  const told = JSON.parse(await ask());
  if (told.predictions?.length !== count) throw new Error(`No prediction: ${JSON.stringify(told)}`);
  const inferred = JSON.parse(await infer());
  if (inferred.outputs?.[0]?.data.length !== count) throw new Error(JSON.stringify(inferred));
  const times = {
    "parse: bytes to JSON": await timeOf(() => jsonOf(bytes)),
    "validate and encode: JSON to columns": await timeOf(() =>
      rowsOfTableJson(parsed, version.facts),
    ),
    "run: the trees": await timeOf(() => version.session.answer(request.frame)),
    "answer: ids, labels": await timeOf(() => predictTable(version, request, false)),
    "write: answer to text": await timeOf(() => JSON.stringify({ model: told.model, predictions })),
    "all of it through the app, a Request to its Response": await timeOf(ask),
    "the same by the V2 protocol": await timeOf(infer),
    "(a call of ONNX Runtime, where it is asked)": await timeOf(() =>
      version.session.run(request.frame),
    ),
  };
  // It runs the trees too; the difference of two times may be below nothing.
  times["answer: ids, labels"] = Math.max(
    0,
    times["answer: ids, labels"] - times["run: the trees"],
  );
  return times;
}

async function timeOf(work: () => unknown): Promise<number> {
  const begun = performance.now();
  let n = 0;
  for (; performance.now() - begun < SPAN_MS; n++) await work();
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const from = performance.now();
    for (let k = 0; k < n; k++) {
      const done = work();
      if (done instanceof Promise) await done;
    }
    times.push(((performance.now() - from) * 1_000) / n);
  }
  return Math.min(...times);
}

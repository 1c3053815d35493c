/*
 * A model that was not made here: a pipeline of scikit-learn, written by skl2onnx, must be served
 * as scikit-learn itself answers. Without a Python that has both, it is said to be left out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makePool, type Pool } from "../../serve/pool.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import { DIGEST, makeTestApp, makeWorld, type TestApp, version } from "../testing.ts";

const PYTHON = process.env["SLUICE_TEST_PYTHON"] ?? "";
const present = PYTHON !== "" && Bun.spawnSync([PYTHON, "-c", "import skl2onnx"]).exitCode === 0;
if (!present) console.log("skipped: 3 tests of a scikit-learn pipeline, no Python skl2onnx");

const SCRIPT = fileURLToPath(new URL("../../../tests/peers/v2_pipeline.py", import.meta.url));

interface Told {
  readonly columns: Readonly<Record<string, readonly (number | string)[]>>;
  readonly labels: readonly string[];
  readonly probabilities: readonly number[];
}

describe.if(present)("a pipeline of scikit-learn", () => {
  let folder: string;
  let pool: Pool;
  let app: TestApp;
  let told: Told;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
    const made = Bun.spawnSync([PYTHON, SCRIPT, folder]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
    told = JSON.parse(made.stdout.toString());
    const read = (digest: string) =>
      Bun.file(join(folder, digest === DIGEST ? "model.onnx" : "maps.onnx")).bytes();
    pool = makePool({ runtime: await loadRuntime(folder), objects: { get: read } });
    const world = makeWorld();
    world.pool = pool;
    world.champion = null;
    world.versions = [{ ...version, version: 4, digest: "e".repeat(64) }, version];
    app = makeTestApp({ world });
  }, 60_000);
  afterAll(async () => {
    await pool.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const inputs = () =>
    Object.entries(told.columns).map(([name, data]) => ({
      ...{ name, datatype: name === "town" ? "BYTES" : "FP32" },
      ...{ shape: [data.length, 1], data },
    }));

  test("tells its signature", async () => {
    const { json } = await app.ask("GET", "/v2/models/btc/versions/3");
    expect(json.inputs).toEqual([
      { name: "age", datatype: "FP32", shape: [-1, 1] },
      { name: "hours", datatype: "FP32", shape: [-1, 1] },
      { name: "town", datatype: "BYTES", shape: [-1, 1] },
    ]);
    expect(json.outputs.map((output: { name: string }) => output.name)).toEqual([
      ...["label", "probabilities"],
    ]);
  });

  test("answers as scikit-learn does", async () => {
    const { json } = await app.ask("POST", "/v2/models/btc/versions/3/infer", {
      body: { inputs: inputs() },
    });
    const [label, probabilities] = json.outputs;
    expect([label.data, label.shape]).toEqual([told.labels, [40]]);
    expect(new Set(told.labels).size).toBe(2);
    for (const [at, value] of told.probabilities.entries()) {
      expect(probabilities.data[at]).toBeCloseTo(value, 5);
    }
  });

  test("leaves out an output that is no tensor", async () => {
    const path = "/v2/models/btc/versions/4";
    const { json } = await app.ask("GET", path);
    expect(json.outputs).toEqual([{ name: "output_label", datatype: "BYTES", shape: [-1] }]);
    const { json: answer } = await app.ask("POST", `${path}/infer`, { body: { inputs: inputs() } });
    expect(answer.outputs).toHaveLength(1);
    expect(answer.outputs[0].data).toEqual(told.labels);
  });
});

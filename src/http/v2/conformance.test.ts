/*
 * The protocol as others speak it: the Python client of its inventors, unmodified, against a
 * listening server. Without a Python that has it, it is said that the tests were left out.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseModel } from "../../models.ts";
import { openPlain, type PlainModel } from "../../serve/plain.ts";
import { makePool, type Pool } from "../../serve/pool.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import * as fixture from "../testing.ts";
import { DATATYPES } from "./datatypes.ts";
import { echoModel } from "./fixture.ts";

const PYTHON = process.env["SLUICE_TEST_PYTHON"] ?? "";
const present =
  PYTHON !== "" && Bun.spawnSync([PYTHON, "-c", "import tritonclient.http"]).exitCode === 0;
if (!present) console.log("skipped: 5 tests of the inference protocol, no Python tritonclient");

const script = (name: string): string =>
  fileURLToPath(new URL(`../../../tests/peers/${name}`, import.meta.url));

describe.if(present)("tritonclient", () => {
  let folder: string;
  let pool: Pool;
  let champion: PlainModel;
  let server: Bun.Server<undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: the answer of the script, looked into freely.
  let told: any;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
    const objects = {
      get: async (digest: string) =>
        digest === fixture.DIGEST ? echoModel() : echoModel(["FP32", "BYTES"]),
    };
    const runtime = await loadRuntime(folder);
    pool = makePool({ runtime, objects });
    champion = await openPlain(runtime, echoModel());
    const world = fixture.makeWorld();
    const toml = `name = "echo"
kind = "market"
[collect]
market = "KRW-BTC"
others = []
since = 2024-01-01
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["gbdt"]
[evaluate]
[promote]`;
    world.models = new Map([["echo", parseModel("echo.toml", toml)]]);
    world.champion = { ...fixture.fakeChampion(), plain: champion, version: 1 };
    world.versions = [
      { ...fixture.version, version: 2, digest: "e".repeat(64) },
      { ...fixture.version, version: 1 },
    ];
    world.pool = pool;
    const { app } = fixture.makeTestApp({ world });
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch });
    // Not spawnSync: this very process answers.
    const asked = Bun.spawn([PYTHON, script("v2_client.py"), `127.0.0.1:${server.port}`], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, faults] = await Promise.all([
      new Response(asked.stdout).text(),
      new Response(asked.stderr).text(),
    ]);
    if ((await asked.exited) !== 0) throw new Error(faults);
    told = JSON.parse(out);
  }, 60_000);
  afterAll(async () => {
    await server.stop(true);
    await Promise.all([pool.stop(), champion.release()]);
    await rm(folder, { recursive: true, force: true });
  });

  test("finds server and models ready", () => {
    const { live, ready, model_ready, version_ready, other_ready } = told;
    expect([live, ready, model_ready, version_ready, other_ready]).toEqual([
      ...[true, true, true, true, false],
    ]);
    expect(told.server.name).toBe("sluice");
    expect(told.server.extensions).toContain("binary_tensor_data");
  });

  test("reads the metadata of a model and of a version", () => {
    expect(told.model).toMatchObject({ name: "echo", versions: ["1", "2"] });
    expect(told.model.inputs).toHaveLength(DATATYPES.length);
    expect(told.version.outputs).toEqual([
      { name: "y_FP32", datatype: "FP32", shape: [-1, 2] },
      { name: "y_BYTES", datatype: "BYTES", shape: [-1, 2] },
    ]);
  });

  test("sends and gets every datatype, as JSON and as bytes", () => {
    for (const form of ["True True", "True False", "False True", "False False"]) {
      expect([form, ...told.forms[form]]).toEqual([form, [...DATATYPES], "r1"]);
    }
    expect(told.all).toEqual([...DATATYPES]);
    expect(told.whole).toEqual({ model_name: "echo", model_version: "1" });
    expect([told.odd, told.async]).toEqual([true, [true, true, true, true]]);
  });

  test("chooses outputs", () => {
    expect(told.selected).toEqual(["y_INT64"]);
  });

  test("reads what was wrong", () => {
    const { model, version, missing, shape, output, classes } = told.failures;
    for (const [[status, text], wanted, said] of [
      [model, "404", "(unknown_model)"],
      [version, "404", "(unknown_version)"],
      [missing, "400", 'the input "x_BOOL" is missing'],
      [shape, "400", "expected [-1,2] (-1: any), not [1,1]"],
      [output, "400", 'the model has no output "z"'],
      [classes, "400", "classification: is not offered here"],
    ] as const) {
      expect(status).toBe(wanted);
      expect(text).toContain(said);
    }
  });
});

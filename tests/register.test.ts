/*
 * Stories of models that were not made here: an ONNX file is registered by the command, promoted,
 * asked by number, alias and name in both protocols, and served again while the store of its bytes
 * is away.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { usageOf } from "../src/flow/usage.ts";
import {
  historyAnswer,
  modelAnswer,
  predictAnswer,
  problemAnswer,
  registeredAnswer,
} from "../src/http/answers.ts";
import { greedyBytes } from "../src/onnx/fixtures.ts";
import { foreignBytes } from "../src/serve/fixture.ts";
import { type Gate, openGate } from "./gate.ts";
import { type Outside, openOutside, predict } from "./outside.ts";
import { asJson, run, type Served } from "./served.ts";
import { hasServices, only, openStores, stores } from "./stores.ts";

const told = stores();
let story: Outside;
afterEach(() => story.close());

const register = async (path: string, more = {}, model = "sum") =>
  v.parse(registeredAnswer, await story.command(["register", model, path], more));

/** A file that adds a number to x. */
function fileOf(number: number): string {
  const path = join(story.folder, `add-${number}.onnx`);
  writeFileSync(path, foreignBytes(number));
  return path;
}

/** What a version of `sum` says of x = 1: its number, and the sum. */
async function ask(app: Served, ref = "sum"): Promise<[number, number]> {
  const { model, predictions } = await predict(app, ref, [{ x: 1 }]);
  const [first] = predictions as unknown as { outputs: { y: number } }[];
  return [model.version, first!.outputs.y];
}

describe.each([...told])("a file from outside on %s", (store) => {
  beforeEach(async () => {
    story = openOutside(await openStores(store));
  });

  test("is registered, promoted, asked by every name, rolled back, and served after a restart", async () => {
    let app = await story.start();
    expect(await register(fileOf(10))).toMatchObject({ version: 1, unchanged: false });
    expect(await register(fileOf(10))).toMatchObject({ version: 1, unchanged: true });
    const none = await app.fetch("/v1/models/sum/predict", asJson({ instances: [{ x: 1 }] }));
    expect(none.status).toBe(503);
    expect(await ask(app, "sum@1")).toEqual([1, 11]);
    await story.command(["promote", "sum", "1"]);
    await register(fileOf(20));
    expect([await ask(app), await ask(app, "sum@champion"), await ask(app, "sum@2")]).toEqual([
      [1, 11],
      [1, 11],
      [2, 21],
    ]);
    await story.command(["promote", "sum", "2"]);
    expect([await ask(app), await ask(app, "sum@1")]).toEqual([
      [2, 21],
      [1, 11],
    ]);
    await story.command(["rollback", "sum"]);
    const model = v.parse(modelAnswer, await app.get("/v1/models/sum"));
    expect(model).toMatchObject({ kind: "registered", champion: { version: 1 }, trouble: null });
    const history = v.parse(historyAnswer, await app.get("/v1/models/sum/history"));
    expect(history.items.map(({ to }) => to)).toEqual([1, 2, 1]);
    expect(history.items[1]!.reason).toContain("could not be judged");
    expect(await app.stop()).toBe(0);
    app = await story.start();
    expect([await ask(app), await ask(app, "sum@2")]).toEqual([
      [1, 11],
      [2, 21],
    ]);
    const refused = await app.fetch("/v1/models/sum/forecast");
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      ...[422, "no_forecast"],
    ]);
    expect(await app.stop()).toBe(0);
  }, 600_000);

  test("that cannot be served is refused by name, and a name with a model file is kept", async () => {
    const app = await story.start();
    writeFileSync(join(story.folder, "text.onnx"), "no model");
    for (const [model, path, code] of [
      ["sum", join(story.folder, "text.onnx"), "No ONNX model|not an ONNX model"],
      ["income", fileOf(1), "under a name of its own"],
      ["Sum", fileOf(1), "name"],
      ["sum", join(story.folder, "gone.onnx"), "cannot be read"],
    ] as const) {
      const args = ["register", model, path];
      const { code: exit, errors } = await run({ ...story.options(), args });
      expect([path, exit === 0, new RegExp(code, "i").test(errors)]).toEqual([path, false, true]);
    }
    expect((await app.fetch("/v1/models/sum")).status).toBe(404);
    expect(await app.stop()).toBe(0);
  }, 600_000);
});

describe(`a file from outside ${only("embedded", "it is the process that is tried")}`, () => {
  beforeEach(async () => {
    story = openOutside(await openStores("embedded"));
  });

  test("that takes all memory does so in another process, and is refused", async () => {
    const app = await story.start();
    const answer = await app.fetch("/admin/models/greedy/versions", {
      ...{ method: "POST", headers: { "content-type": "application/octet-stream" } },
      body: greedyBytes(3) as Uint8Array<ArrayBuffer>,
    });
    const { code, detail } = v.parse(problemAnswer, await answer.json());
    expect([answer.status, code]).toEqual([422, "onnx_refused"]);
    expect(detail).toContain("takes more than 1500 MB of memory");
    expect((await usageOf(app.pid))!.peakBytes).toBeLessThan(1e9);
    expect((await app.fetch("/v1/models/greedy")).status).toBe(404);
    // The next one is tried and served as ever.
    expect(await register(fileOf(10))).toMatchObject({ version: 1, unchanged: false });
    expect(await ask(app, "sum@1")).toEqual([1, 11]);
    expect(await app.stop()).toBe(0);
  }, 600_000);
});

const PYTHON = process.env["SLUICE_TEST_PYTHON"] ?? "";
const peers =
  PYTHON !== "" &&
  Bun.spawnSync([PYTHON, "-c", "import skl2onnx, tritonclient.http"]).exitCode === 0;
if (!peers) console.log("skipped: a story of scikit-learn, no Python skl2onnx and tritonclient");

interface Told {
  readonly columns: Readonly<Record<string, readonly (number | string)[]>>;
  readonly labels: readonly string[];
  readonly probabilities: readonly number[];
}

describe.if(peers)(
  `a pipeline of scikit-learn ${only("embedded", "it is the formats that are tried")}`,
  () => {
    beforeEach(async () => {
      story = openOutside(await openStores("embedded"));
    });

    const script = (name: string) => join(import.meta.dir, "peers", name);
    const close = (given: readonly number[], wanted: readonly number[]) =>
      given.length === wanted.length && given.every((p, i) => Math.abs(p - wanted[i]!) < 1e-5);

    test("answers as scikit-learn does, to tritonclient, to curl and to predict", async () => {
      const made = Bun.spawnSync([PYTHON, script("v2_pipeline.py"), story.folder]);
      const told: Told = JSON.parse(made.stdout.toString());
      const app = await story.start();
      await register(join(story.folder, "model.onnx"), {}, "town");
      await story.command(["promote", "town", "1"]);

      const client = Bun.spawn([PYTHON, script("v2_ask.py"), new URL(app.url).host, "town", ""], {
        stdin: Buffer.from(JSON.stringify(told.columns)),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, faults] = await Promise.all([
        new Response(client.stdout).text(),
        new Response(client.stderr).text(),
      ]);
      if ((await client.exited) !== 0) throw new Error(faults);
      const { ready, inputs, answers } = JSON.parse(out);
      expect([ready, inputs]).toEqual([
        true,
        [
          ["age", "FP32", [-1, 1]],
          ["hours", "FP32", [-1, 1]],
          ["town", "BYTES", [-1, 1]],
        ],
      ]);
      for (const { model, version, labels, probabilities } of answers) {
        expect([model, version, labels]).toEqual(["town", "1", told.labels]);
        expect(close(probabilities, told.probabilities)).toBe(true);
      }
      expect(answers).toHaveLength(2);

      const rows = told.labels.length;
      const body = {
        inputs: Object.entries(told.columns).map(([name, data]) => ({
          ...{ name, datatype: typeof data[0] === "string" ? "BYTES" : "FP32" },
          ...{ shape: [rows, 1], data },
        })),
      };
      const curl = Bun.spawnSync([
        ...["curl", "-sS", "-H", "content-type: application/json", "-d", JSON.stringify(body)],
        `${app.url}/v2/models/town/versions/1/infer`,
      ]);
      const [label, probabilities] = JSON.parse(curl.stdout.toString()).outputs;
      expect([label.name, label.shape, label.data]).toEqual(["label", [rows], told.labels]);
      expect(close(probabilities.data, told.probabilities)).toBe(true);

      const instances = told.labels.map((_, row) =>
        Object.fromEntries(Object.entries(told.columns).map(([name, data]) => [name, data[row]])),
      );
      const answer = await app.post("/v1/models/town@champion/predict", { instances });
      const { predictions } = v.parse(predictAnswer, answer);
      const said = predictions as { label: string; probabilities: number[] }[];
      expect(said.map((one) => one.label)).toEqual([...told.labels]);
      expect(
        close(
          said.flatMap((one) => one.probabilities),
          told.probabilities,
        ),
      ).toBe(true);
      expect(await app.stop()).toBe(0);
    }, 600_000);
  },
);

describe.if(hasServices)(`with S3 away ${only("services", "a folder is always there")}`, () => {
  let gate: Gate | null = null;
  afterAll(() => gate?.close());

  test("a restart serves the champion and the versions that were used", async () => {
    const kept = await openStores("services");
    gate = await openGate(new URL(kept.env["S3_ENDPOINT"]!));
    story = openOutside({ ...kept, env: { ...kept.env, S3_ENDPOINT: gate.url } });
    let app = await story.start();
    for (const number of [10, 20, 30]) await register(fileOf(number));
    await story.command(["promote", "sum", "2"]);
    expect([await ask(app), await ask(app, "sum@1")]).toEqual([
      [2, 21],
      [1, 11],
    ]);
    expect(await app.stop()).toBe(0);
    expect(readdirSync(join(story.folder, "data", "artifacts"))).toHaveLength(2);

    gate.shut();
    app = await story.start();
    expect([await ask(app), await ask(app, "sum@1")]).toEqual([
      [2, 21],
      [1, 11],
    ]);
    // The third was never asked for: nobody here has its bytes.
    await expect(ask(app, "sum@3")).rejects.toThrow("object_store_unreachable");
    expect((await app.fetch("/readyz")).status).toBe(200);
    gate.open();
    expect(await ask(app, "sum@3")).toEqual([3, 31]);
    expect(await app.stop()).toBe(0);
  }, 600_000);
});

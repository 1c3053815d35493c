/*
 * The protocol over the app itself: what it tells of models, what it answers, how it refuses.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version as sluice } from "../../../package.json";
import { openPlain, type PlainModel } from "../../serve/plain.ts";
import { makePool, type Pool } from "../../serve/pool.ts";
import { loadRuntime } from "../../serve/runtime.ts";
import * as fixture from "../testing.ts";
import { fakeChampion, makeTestApp, makeWorld, type TestApp } from "../testing.ts";
import { DATATYPES } from "./datatypes.ts";
import { echoModel } from "./fixture.ts";

const OTHER = "e".repeat(64);
let folder: string;
let pool: Pool;
let champion: PlainModel;
let challenger: PlainModel;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-v2-"));
  const runtime = await loadRuntime(folder);
  const other = echoModel(["FP32", "BYTES"], ["N", 1]);
  const get = async (digest: string) => (digest === OTHER ? other : echoModel());
  pool = makePool({ runtime, objects: { get } });
  champion = await openPlain(runtime, echoModel());
  challenger = await openPlain(runtime, other);
});
afterAll(async () => {
  await Promise.all([pool.stop(), champion.release(), challenger.release()]);
  await rm(folder, { recursive: true, force: true });
});

let app: TestApp;
beforeEach(() => {
  const world = makeWorld();
  world.pool = pool;
  world.champion = { ...fakeChampion(), plain: champion };
  // Version 3 is the champion and takes every datatype, version 5 the challenger.
  world.versions = [{ ...fixture.version, version: 5, digest: OTHER }, fixture.version];
  app = makeTestApp({ world });
});

const PATH = "/v2/models/btc/versions/5/infer";
const INPUTS = [
  { name: "x_FP32", datatype: "FP32", shape: [2, 1], data: [0.5, 2] },
  { name: "x_BYTES", datatype: "BYTES", shape: [2, 1], data: ["a", "한글"] },
];
const infer = (body: unknown, path = PATH) => app.ask("POST", path, { body });
const binary = (json: unknown, bytes: Uint8Array, headers: Record<string, string> = {}) => {
  const head = Buffer.from(JSON.stringify(json));
  const size = { "inference-header-content-length": String(head.length), ...headers };
  const raw = ["application/octet-stream", new Uint8Array(Buffer.concat([head, bytes]))] as const;
  return app.app.fetch(
    new Request(`http://localhost${PATH}`, {
      method: "POST",
      headers: { "content-type": raw[0], ...size },
      body: raw[1],
    }),
  );
};

describe("what it tells", () => {
  test("server: name, version, extensions; live and ready", async () => {
    const server = await app.ask("GET", "/v2", { token: null });
    expect(server.json).toEqual({
      ...{ name: "sluice", version: sluice, extensions: ["binary_tensor_data"] },
    });
    expect((await app.ask("GET", "/v2/health/live")).json).toEqual({ live: true });
    expect((await app.ask("GET", "/v2/health/ready")).json).toEqual({ ready: true });
    app.world.champion = null;
    const { status, json } = await app.ask("GET", "/v2/health/ready");
    expect([status, Object.keys(json)]).toEqual([503, ["error"]]);
    expect(json.error).toContain("model btc");
  });

  test("while the server starts it lives and is not ready", async () => {
    const starting = makeTestApp({ services: () => null });
    expect((await starting.ask("GET", "/v2/health/live")).status).toBe(200);
    for (const path of ["/v2/health/ready", "/v2", "/v2/models/btc", "/v2/nothing"]) {
      const { status, json } = await starting.ask("GET", path);
      expect([path, status, json.error.endsWith("(starting)")]).toEqual([path, 503, true]);
    }
  });

  test("a model: names, datatypes and shapes of its bytes, for the champion and a version", async () => {
    const { status, json } = await app.ask("GET", "/v2/models/btc");
    expect([status, json.name, json.platform]).toEqual([200, "btc", "onnxruntime_onnx"]);
    expect(json.versions).toEqual(["3", "5"]);
    expect(json.inputs).toEqual(
      DATATYPES.map((datatype) => ({ name: `x_${datatype}`, datatype, shape: [-1, 2] })),
    );
    for (const name of ["5", "challenger"]) {
      const other = await app.ask("GET", `/v2/models/btc/versions/${name}`);
      expect(other.json.outputs).toEqual([
        { name: "y_FP32", datatype: "FP32", shape: [-1, 1] },
        { name: "y_BYTES", datatype: "BYTES", shape: [-1, 1] },
      ]);
    }
    const champion = await app.ask("GET", "/v2/models/btc/versions/champion");
    expect(champion.json).toEqual(json);
  });

  test("whether a model and a version are ready", async () => {
    for (const path of ["/ready", "/versions/3/ready", "/versions/challenger/ready"]) {
      const { status, json } = await app.ask("GET", `/v2/models/btc${path}`);
      expect([status, json]).toEqual([200, { name: "btc", ready: true }]);
    }
    app.world.champion = null;
    expect((await app.ask("GET", "/v2/models/btc/ready")).status).toBe(503);
    expect((await app.ask("GET", "/v2/models/btc/versions/5/ready")).status).toBe(200);
  });
});

describe("an inference", () => {
  test("JSON: flat and nested data, the id, the version; outputs in the model's order", async () => {
    for (const shaped of [
      INPUTS,
      INPUTS.map((one) => ({ ...one, data: one.data.map((x) => [x]) })),
    ]) {
      const { status, json } = await infer({
        model_name: "btc",
        id: "a1",
        inputs: shaped,
        parameters: { priority: 1 },
      });
      expect([status, json]).toEqual([
        200,
        {
          ...{ model_name: "btc", model_version: "5", id: "a1" },
          outputs: [
            { name: "y_FP32", datatype: "FP32", shape: [2, 1], data: [0.5, 2] },
            { name: "y_BYTES", datatype: "BYTES", shape: [2, 1], data: ["a", "한글"] },
          ],
        },
      ]);
    }
  });

  test("without a version it is the champion, whichever it is now", async () => {
    const inputs = DATATYPES.map((datatype) => {
      const one = datatype === "BOOL" ? true : datatype === "BYTES" ? "b" : 1;
      return { name: `x_${datatype}`, datatype, shape: [1, 2], data: [one, one] };
    });
    const { json } = await infer({ inputs }, "/v2/models/btc/infer");
    expect([json.model_version, json.id, json.outputs.length]).toEqual(["3", undefined, 13]);
    app.world.champion = { ...fakeChampion(), plain: challenger, version: 5 };
    const moved = await infer({ inputs: INPUTS }, "/v2/models/btc/infer");
    expect([moved.status, moved.json.model_version]).toEqual([200, "5"]);
  });

  test("only the outputs that are named, in their order, each in its form", async () => {
    const outputs = [{ name: "y_BYTES", parameters: { binary_data: true } }, { name: "y_FP32" }];
    const one = await infer({ inputs: INPUTS, outputs: outputs.slice(1) });
    expect(one.json.outputs.map((output: { name: string }) => output.name)).toEqual(["y_FP32"]);
    const both = await infer({ inputs: INPUTS, outputs });
    const size = Number(both.headers.get("inference-header-content-length"));
    const bytes = Buffer.from(both.text);
    const head = JSON.parse(bytes.subarray(0, size).toString());
    expect(head.outputs).toEqual([
      {
        ...{ name: "y_BYTES", datatype: "BYTES", shape: [2, 1] },
        parameters: { binary_data_size: 15 },
      },
      { name: "y_FP32", datatype: "FP32", shape: [2, 1], data: [0.5, 2] },
    ]);
    expect(bytes.subarray(size)).toHaveLength(15);
  });

  test("bytes in and out, NaN among them", async () => {
    const floats = Float32Array.of(Number.NaN, -1.5);
    const body = {
      inputs: [{ ...INPUTS[0], data: undefined, parameters: { binary_data_size: 8 } }, INPUTS[1]],
      parameters: { binary_data_output: true },
      outputs: [{ name: "y_FP32" }],
    };
    const answer = await binary(body, new Uint8Array(floats.buffer));
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "application/octet-stream",
    ]);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const size = Number(answer.headers.get("inference-header-content-length"));
    expect([...new Float32Array(bytes.slice(size).buffer)]).toEqual([Number.NaN, -1.5]);
    // The same as JSON cannot be said, which is a fault of the request and not of the server.
    const told = await binary({ ...body, parameters: {} }, new Uint8Array(floats.buffer));
    expect(told.status).toBe(400);
    expect(((await told.json()) as { error: string }).error).toEndWith("(output_not_json)");
  });

  test("64-bit numbers are not rounded on either way", async () => {
    const champion = DATATYPES.filter((datatype) => datatype !== "INT64").map((datatype) => {
      const one = datatype === "BOOL" ? true : datatype === "BYTES" ? "b" : 1;
      return { name: `x_${datatype}`, datatype, shape: [1, 2], data: [one, one] };
    });
    const text = JSON.stringify({
      inputs: [...champion, { name: "x_INT64", datatype: "INT64", shape: [1, 2], data: ["?"] }],
      outputs: [{ name: "y_INT64" }],
    }).replace('"?"', "9223372036854775807,-9223372036854775808");
    const answer = await app.ask("POST", "/v2/models/btc/infer", {
      raw: ["application/json", text],
    });
    expect(answer.text).toContain('"data":[9223372036854775807,-9223372036854775808]');
  });

  test("a simulated server says so", async () => {
    const simulated = makeTestApp({ world: app.world, config: { simulated: true } });
    const { json } = await simulated.ask("GET", "/v2/models/btc");
    expect(json.simulated).toBe(true);
    const wrong = await simulated.ask("POST", PATH, { body: {} });
    expect(Object.keys(wrong.json)).toEqual(["error", "simulated"]);
  });
});

describe("a refusal is one text, never a 500", () => {
  const [first, second] = INPUTS as [(typeof INPUTS)[0], (typeof INPUTS)[1]];
  const cases: readonly [string, unknown, string][] = [
    ["no object", [], 'expected an object with "inputs"'],
    ["no inputs", {}, "inputs: expected an array of tensors"],
    ["an input missing", { inputs: [first] }, 'the input "x_BYTES" is missing'],
    ["an unknown input", { inputs: [...INPUTS, { ...first, name: "z" }] }, 'no input "z"'],
    ["an input twice", { inputs: [first, first, second] }, "stands twice"],
    ["an unknown member", { inputs: INPUTS, input: 1 }, "input: is not known"],
    ["another datatype", { inputs: [{ ...first, datatype: "FP64" }, second] }, "expected FP32"],
    ["no datatype", { inputs: [{ ...first, datatype: "FLOAT" }, second] }, "expected one of BOOL"],
    ["another rank", { inputs: [{ ...first, shape: [2] }, second] }, "expected [-1,1]"],
    ["another size", { inputs: [{ ...first, shape: [1, 2] }, second] }, "expected [-1,1]"],
    ["a size of 0", { inputs: [{ ...first, shape: [0, 1] }, second] }, "whole numbers from 1 on"],
    ["a size of -1", { inputs: [{ ...first, shape: [-1, 1] }, second] }, "whole numbers from 1 on"],
    ["a large size", { inputs: [{ ...first, shape: [1e15, 1] }, second] }, "rows"],
    ["other rows", { inputs: [{ ...first, shape: [1, 1], data: [1] }, second] }, "has 2 of N"],
    ["too few", { inputs: [{ ...first, data: [1] }, second] }, "has 1 elements"],
    ["badly nested", { inputs: [{ ...first, data: [[1, 2]] }, second] }, "is nested, but not as"],
    [
      "deeply nested",
      { inputs: [{ ...first, data: [[[1]], [[2]]] }, second] },
      "expected a number",
    ],
    ["null", { inputs: [{ ...first, data: [1, null] }, second] }, "data[1]: expected a number"],
    ["a number as a text", { inputs: [first, { ...second, data: ["a", 1] }] }, "expected a text"],
    ["an unknown output", { inputs: INPUTS, outputs: [{ name: "z" }] }, 'no output "z"'],
    [
      "bytes not there",
      { inputs: [{ ...first, data: undefined, parameters: { binary_data_size: 8 } }, second] },
      "needs the header",
    ],
    [
      "classification",
      { inputs: INPUTS, outputs: [{ name: "y_FP32", parameters: { classification: 1 } }] },
      "is not offered",
    ],
    ["an odd parameter", { inputs: INPUTS, parameters: { a: {} } }, "parameters.a"],
    ["an id that is none", { inputs: INPUTS, id: 5 }, "id: expected a text"],
  ];
  test.each(cases)("%s", async (_, body, told) => {
    const { status, json, headers } = await infer(body);
    expect([400, 413]).toContain(status);
    expect(Object.keys(json)).toEqual(["error"]);
    expect(json.error).toContain(told);
    expect(headers.get("content-type")).toBe("application/json");
  });

  test("bytes that do not add up", async () => {
    const input = (size: unknown) => ({
      inputs: [{ ...first, data: undefined, parameters: { binary_data_size: size } }, second],
    });
    const eight = new Uint8Array(8);
    const told = async (answer: Response) => [answer.status, await answer.text()] as const;
    for (const [size, bytes, headers, text] of [
      [4, eight, {}, "4 bytes follow the tensors"],
      [8, eight.subarray(4), {}, "of which 4 bytes came"],
      [4, eight.subarray(4), {}, "2 elements of FP32 are 8"],
      ["8", eight, {}, "expected a whole number"],
      [8, eight, { "inference-header-content-length": "x" }, "expected a whole number up to"],
      [8, eight, { "inference-header-content-length": "999999" }, "expected a whole number up to"],
      [8, eight, { "inference-header-content-length": "5" }, "no JSON"],
      [8, eight, { "inference-header-content-length": "0" }, "for models of one input"],
    ] as const) {
      const [status, answer] = await told(await binary(input(size), bytes, headers));
      expect(status).toBe(400);
      expect(answer).toContain(text);
    }
  });

  test.each([
    ["GET", "/v2/models/nobody", 404, "unknown_model"],
    ["GET", "/v2/models/btc/versions/9", 404, "unknown_version"],
    ["GET", "/v2/models/btc/versions/best/ready", 404, "unknown_version"],
    ["GET", "/v2/models/btc/versions/0", 400, "bad_name"],
    ["GET", "/v2/models/btc/versions/9999999999", 404, "unknown_version"],
    ["GET", "/v2/models/B!", 400, "bad_name"],
    ["GET", "/v2/models/btc?x=1", 400, "invalid_query"],
    ["GET", "/v2/nothing", 404, "unknown_route"],
    ["DELETE", "/v2/models/btc", 405, "method_not_allowed"],
  ] as const)("%s %s is %p %s", async (method, path, wanted, code) => {
    const { status, json } = await app.ask(method, path);
    expect([status, json.error.endsWith(`(${code})`)]).toEqual([wanted, true]);
  });

  test("rows over the cap, bodies that are no JSON or of another type, no token", async () => {
    const data = new Array(10_001).fill(1);
    const many = { ...first, shape: [10_001, 1], data };
    expect((await infer({ inputs: [many, second] })).status).toBe(413);
    const no = await app.ask("POST", PATH, { raw: ["application/json", '{"inputs":[NaN]}'] });
    expect([no.status, no.json.error.endsWith("(bad_json)")]).toEqual([400, true]);
    const csv = await app.ask("POST", PATH, { raw: ["text/csv", "a"] });
    expect(csv.status).toBe(415);
    const shut = makeTestApp({ world: app.world, config: { open: [] } });
    const stranger = await shut.ask("POST", PATH, { body: { inputs: INPUTS }, token: null });
    expect([stranger.status, Object.keys(stranger.json)]).toEqual([401, ["error"]]);
  });
});

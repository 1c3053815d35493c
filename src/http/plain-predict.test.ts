import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Graph, intOf, makeGraph } from "../onnx/graph.ts";
import { foreignBytes } from "../serve/fixture.ts";
import { makePool, type Pool } from "../serve/pool.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { makeTestApp, makeWorld, type TestApp, version } from "./testing.ts";

/** The axis of columns, as a tensor of whole numbers. */
const columns = (graph: Graph) =>
  graph.node("Cast", [graph.constant([1])], { attributes: { to: intOf(7) } });

/** As skl2onnx writes a classifier: numbers and texts in, a label and numbers of each class out. */
function classifier(): Uint8Array {
  const graph = makeGraph("classes");
  graph.input("age", "float32", ["N", 1]);
  graph.input("town", "string", ["N", 1]);
  const minus = graph.node("Neg", ["age"]);
  graph.node("Concat", ["age", minus], { as: "probabilities", attributes: { axis: intOf(1) } });
  graph.node("Squeeze", ["town", columns(graph)], { as: "label" });
  graph.output("label", "string", ["N"]);
  graph.output("probabilities", "float32", ["N", 2]);
  return graph.encode({});
}

/** Takes [N, 3]. */
function matrix(): Uint8Array {
  const graph = makeGraph("matrix");
  graph.input("features", "float32", ["N", 3]);
  graph.node("Neg", ["features"], { as: "y" });
  graph.output("y", "float32", ["N", 3]);
  return graph.encode({});
}

/** Whole numbers, bools and a number, as they are. */
function echo(): Uint8Array {
  const graph = makeGraph("echo");
  for (const [name, type] of [
    ["whole", "int64"],
    ["flag", "bool"],
    ["real", "float64"],
  ] as const) {
    graph.input(name, type, ["N"]);
    graph.node("Identity", [name], { as: `${name}_out` });
    graph.output(`${name}_out`, type, ["N"]);
  }
  return graph.encode({});
}

/** One number of all rows: an answer that is not one of rows. */
function summed(): Uint8Array {
  const graph = makeGraph("sum");
  graph.input("x", "float32", ["N", 1]);
  graph.node("ReduceSum", ["x"], { as: "y" });
  graph.output("y", "float32", [1, 1]);
  return graph.encode({});
}

const FILES = [
  classifier(),
  matrix(),
  echo(),
  summed(),
  foreignBytes(1),
  foreignBytes(1, { sluice: "{}" }),
];
const digestOf = (number: number) => `${number}`.repeat(64);

let folder: string;
let pool: Pool;
let app: TestApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-plain-"));
  const get = async (digest: string) => FILES[Number(digest[0]) - 1]!;
  pool = makePool({ runtime: await loadRuntime(folder), objects: { get } });
  const world = makeWorld();
  world.pool = pool;
  world.champion = null;
  world.versions = FILES.map((_, at) => ({
    ...{ ...version, version: at + 1, digest: digestOf(at + 1) },
  }));
  app = makeTestApp({ world });
});
afterAll(async () => {
  await pool.stop();
  await rm(folder, { recursive: true, force: true });
});

const ask = (number: number, instances: unknown, query = "") =>
  app.ask("POST", `/v1/models/btc@${number}/predict${query}`, { body: { instances } });

describe("a file from outside, asked with rows", () => {
  test("a class and a number for each class, in the order of the rows", async () => {
    const rows = [
      { age: 40, town: "Seoul" },
      { town: "", age: -1.5 },
    ];
    const { status, json } = await ask(1, rows);
    expect([status, json.model]).toEqual([200, { name: "btc", version: 1, digest: digestOf(1) }]);
    expect(json.predictions.map(({ id: _, ...rest }: { id: string }) => rest)).toEqual([
      { label: "Seoul", probabilities: [40, -40] },
      { label: "", probabilities: [-1.5, 1.5] },
    ]);
    expect(json.predictions[1].id).toEndWith("-1");
  });

  test("other outputs by their names, whole numbers never rounded", async () => {
    const { json } = await ask(3, [
      { whole: 7, flag: true, real: 0.1 },
      { whole: -(2 ** 53) + 1, flag: false, real: -0 },
    ]);
    expect(json.predictions.map(({ outputs }: { outputs: unknown }) => outputs)).toEqual([
      { whole_out: 7, flag_out: true, real_out: 0.1 },
      { whole_out: -(2 ** 53) + 1, flag_out: false, real_out: 0 },
    ]);
    const { json: one } = await ask(5, [{ x: 2 }]);
    expect(one.predictions[0].outputs).toEqual({ y: 3 });
  });

  test("every fault of every row is told with its path", async () => {
    const { status, json } = await ask(1, [
      { age: "40", town: "Seoul" },
      { age: 1, town: null },
      { age: 1 },
      { age: 1, town: "a", hours: 2 },
      7,
    ]);
    expect([status, json.code]).toEqual([422, "invalid_instances"]);
    expect(json.faults.map(({ path }: { path: string }) => path)).toEqual([
      "instances[2].town",
      "instances[3].hours",
      "instances[4]",
    ]);
    const { json: values } = await ask(1, [
      { age: "40", town: "Seoul" },
      { age: 1, town: null },
    ]);
    expect(values.faults).toEqual([
      { path: "instances[0].age", message: 'expected a number, not "40"' },
      { path: "instances[1].town", message: "expected a text, not null" },
    ]);
    for (const [number, row, path] of [
      [3, { whole: 2 ** 53, flag: true, real: 1 }, "instances[0].whole"],
      [3, { whole: 1.5, flag: true, real: 1 }, "instances[0].whole"],
      [3, { whole: 1, flag: 1, real: 1 }, "instances[0].flag"],
      [1, { age: 1e39, town: "" }, "instances[0].age"],
      [1, { age: null, town: "" }, "instances[0].age"],
    ] as const) {
      const refused = (await ask(number, [row])).json;
      expect([refused.status, refused.faults[0].path]).toEqual([422, path]);
    }
  });

  test.each([
    [2, [{ features: 1 }], "", 'its input "features" is [-1,3]'],
    [4, [{ x: 1 }, { x: 2 }], "", 'its output "y" is [1,1] for 2 rows'],
    [1, [{ age: 1, town: "" }], "?explain=true", "it cannot be explained"],
  ] as const)(
    "what takes tensors only says so: version %p",
    async (number, rows, query, reason) => {
      const { status, json } = await ask(number, rows, query);
      expect([status, json.code, json.detail]).toEqual([
        ...[422, "tensors_only", `The version takes tensors only: ${reason}.`],
      ]);
    },
  );

  test("no rows, no body, too many rows, CSV: as of any model", async () => {
    for (const [init, wanted] of [
      [{ body: { instances: [] } }, [422, "invalid_instances"]],
      [{ body: {} }, [422, "invalid_instances"]],
      [{ body: { instances: new Array(10_001).fill({ x: 1 }) } }, [413, "too_many_rows"]],
      [{ raw: ["text/csv", "x\n1\n"] as const }, [415, "unsupported_media_type"]],
    ] as const) {
      const { status, json } = await app.ask("POST", "/v1/models/btc@5/predict", init);
      expect([status, json.code]).toEqual([...wanted]);
    }
  });

  test("a file that says it was made here and is none tells why", async () => {
    const { status, json } = await ask(6, [{ x: 1 }]);
    expect([status, json.code]).toEqual([500, "artifact_unusable"]);
  });
});

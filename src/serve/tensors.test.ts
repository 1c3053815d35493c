/*
 * Tensors answered by trees: what the runtime says of the same tensors, without it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TableModel } from "../learn/table/answers.ts";
import type { CategoryColumn, NumberColumn } from "../learn/types.ts";
import { columnsOf, distanceOf, hardFrame, LEVELS, randomTrees } from "../onnx/fixtures.ts";
import { modelMetadata } from "../onnx/read.ts";
import { encodeTableModel, outputOf } from "../onnx/table.ts";
import { type Plain, type PlainTensor, type PlainTensors, plainOf } from "./plain.ts";
import { loadRuntime, type Runtime } from "./runtime.ts";
import { openTableSession, type TableFacts, type TableSession, tableMetadata } from "./table.ts";
import { byTrees } from "./tensors.ts";

const COLUMNS = columnsOf(3, 2);
const ROWS = 2_500;
const trees = (seed: number) => randomTrees(COLUMNS, 20, seed, 1);

const MODELS: Readonly<Record<"binary" | "multiclass" | "regression", TableModel>> = {
  binary: trees(1),
  multiclass: { kind: "softmax", models: [trees(2), trees(3), trees(4)], columns: COLUMNS },
  regression: { ...trees(5), objective: "squared_error" },
};

const factsOf = (task: keyof typeof MODELS): TableFacts => ({
  ...{ kind: "table", model: "some", task, target: "y", ignored: [], unseen: "missing" },
  columns: COLUMNS.map(({ name, kind }) =>
    kind === "number"
      ? { name, type: kind, integer: false, required: false }
      : { name, type: kind, required: false, seen: [...LEVELS] },
  ),
  form: { delimiter: ",", quote: '"', trim: true, decimal: ".", missing: [] },
  classes: { binary: ["no", "yes"], multiclass: ["r", "g", "b"], regression: [] }[task],
  ...{ threshold: 0.5, calibration: { slope: 0.9, intercept: 0.1 }, trainer: "gbdt" },
  ...{ dataset_digest: "d", quantiles: [] },
});

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-tensors-"));
  runtime = await loadRuntime(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Rows with everything that is hard on a split, and a level that was never there. */
function tensorsOf(model: TableModel): PlainTensors {
  const frame = hardFrame(model.kind === "softmax" ? model.models : [model as never], ROWS, 7);
  const tensorOf = (column: NumberColumn | CategoryColumn): PlainTensor => ({
    type: column.kind === "number" ? "float32" : "string",
    shape: [ROWS, 1],
    data:
      column.kind === "number"
        ? column.values
        : Array.from(column.codes, (code, row) =>
            row % 50 === 0 ? "never seen" : (column.levels[code] ?? ""),
          ),
  });
  return Object.fromEntries(frame.columns.map((column) => [column.name, tensorOf(column)]));
}

describe.each(["binary", "multiclass", "regression"] as const)("%s", (task) => {
  const model = MODELS[task];
  const facts = factsOf(task);
  const output = outputOf(task);
  const asked: string[][] = [];
  let session: TableSession;
  let ofRuntime: Plain;
  let ofTrees: Plain;
  beforeAll(async () => {
    const parts = { task, model, calibration: facts.calibration };
    const bytes = encodeTableModel(parts, { ...tableMetadata(facts), ...modelMetadata(model) });
    session = await openTableSession(runtime, bytes, facts);
    ofRuntime = plainOf(runtime, session.inference, bytes);
    const watched: Plain = {
      ...ofRuntime,
      run: (given, wanted) => {
        asked.push([...wanted]);
        return ofRuntime.run(given, wanted);
      },
    };
    ofTrees = byTrees(watched, facts, session.trees!);
  });
  afterAll(() => session.release());

  test("says what the runtime says, without asking it", async () => {
    const given = tensorsOf(model);
    const found = (await ofTrees.run(given, [output]))[output]!;
    expect(asked).toEqual([]);
    const wanted = (await ofRuntime.run(given, [output]))[output]!;
    expect([found.type, found.shape]).toEqual([wanted.type, wanted.shape]);
    const [values, others] = [found.data as Float32Array, wanted.data as Float32Array];
    expect(values).toHaveLength(others.length);
    expect(distanceOf(values, others)).toBeLessThan(1e-5);
    expect(new Set(values).size).toBeGreaterThan(500);
  });

  test("leaves it to the runtime to refuse columns of different lengths", async () => {
    const { x0, ...others } = tensorsOf(model);
    const short = { ...x0!, shape: [1, 1], data: (x0!.data as Float32Array).slice(0, 1) };
    const thrown = await ofTrees.run({ ...others, x0: short }, [output]).catch((error) => error);
    expect(thrown).toMatchObject({ code: "inference_refused", status: 400 });
    expect(asked.splice(0)).toEqual([[output]]);
  });
});

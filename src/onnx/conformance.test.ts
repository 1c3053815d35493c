/*
 * The artifact outside this program: Python's onnxruntime, given the raw columns of a real table,
 * must answer as the models themselves do. Without the rows or a Python it is said that the tests
 * were left out.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gbdt } from "../learn/gbdt/fit.ts";
import { GBDT_DEFAULTS } from "../learn/gbdt/options.ts";
import { logistic } from "../learn/linear.ts";
import { answersOf } from "../learn/table/answers.ts";
import { fitQuantiles, quantilesOf } from "../learn/table/quantiles.ts";
import { framed, rowsOf } from "../learn/table/split.ts";
import type { Column, Frame, Model, Sample } from "../learn/types.ts";
import { distanceOf } from "./fixtures.ts";
import { encodeTableModel } from "./table.ts";

const FOLDER = fileURLToPath(new URL("../../../shared/data/adult", import.meta.url));
const PYTHON = process.env["SLUICE_TEST_PYTHON"] ?? "";
const present = existsSync(FOLDER) && PYTHON !== "";
if (!present) console.log("skipped: 3 tests of artifacts in Python, no ../shared or Python");

const COLUMNS = [
  ...["age", "workclass", "", "education", "education-num", "marital-status", "occupation"],
  ...["relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week"],
  "native-country",
];
const NUMBERS = new Set(["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]);

/** The rows of a file; levels as in `like`, or its own. */
const read = async (name: string, like?: Frame): Promise<Sample> => {
  const bytes = await Bun.file(join(FOLDER, `${name}.gz`)).bytes();
  const rows = new TextDecoder()
    .decode(Bun.gunzipSync(bytes))
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("|"))
    .map((line) => line.split(",").map((cell) => cell.trim()));
  const columns = COLUMNS.flatMap((column, at): Column[] => {
    if (column === "") return [];
    const cells = rows.map((row) => row[at]!);
    if (NUMBERS.has(column)) {
      return [{ name: column, kind: "number", values: Float32Array.from(cells, Number) }];
    }
    const known = like?.columns.find((one) => one.name === column);
    const own = [...new Set(cells.filter((cell) => cell !== "?"))].sort();
    const levels = known?.kind === "category" ? known.levels : own;
    const codes = Int32Array.from(cells, (cell) => levels.indexOf(cell));
    return [{ name: column, kind: "category", levels, codes }];
  });
  const target = Float64Array.from(rows, (row) => (row[14]!.startsWith(">50K") ? 1 : 0));
  return { frame: { rows: rows.length, columns }, target, weight: null };
};

const SCRIPT = fileURLToPath(new URL("../../tests/peers/onnx_answers.py", import.meta.url));

let folder: string | null = null;
afterAll(async () => {
  if (folder !== null) await rm(folder, { recursive: true, force: true });
});

/** The artifact's answers about a frame, by Python; missing numbers go as null, texts as "". */
const askPython = async (
  artifact: Uint8Array,
  frame: Frame,
  output = "probability",
): Promise<Float32Array> => {
  folder ??= await mkdtemp(join(tmpdir(), "sluice-python-"));
  const cells = frame.columns.map((column) => [
    column.name,
    column.kind === "number"
      ? Array.from(column.values, (x) => (Number.isNaN(x) ? null : x))
      : Array.from(column.codes, (code) => column.levels[code] ?? ""),
  ]);
  await Bun.write(join(folder, "model.onnx"), artifact);
  await Bun.write(join(folder, "columns.json"), JSON.stringify(Object.fromEntries(cells)));
  const asked = Bun.spawnSync([PYTHON, SCRIPT, folder, output]);
  if (asked.exitCode !== 0) throw new Error(asked.stderr.toString());
  return new Float32Array(await Bun.file(join(folder, "answer.f32")).arrayBuffer());
};

const fits: readonly (readonly [string, (sample: Sample) => Model])[] = [
  ["trees", (sample) => gbdt.fit(sample, gbdt.defaults, 7)],
  ["a linear model", (sample) => logistic.fit(sample, { l2: 1, rounds: 25, indicators: true }, 7)],
];
for (const [name, fit] of fits) {
  test.if(present)(
    `Python's onnxruntime answers all 16,281 rows as ${name} do`,
    async () => {
      const train = await read("adult.data");
      const { frame } = await read("adult.test", train.frame);
      expect(frame.rows).toBe(16_281);
      const model = fit(train);
      const calibration = { slope: 0.95, intercept: 0.02 };
      const wanted = answersOf(model, { task: "binary", width: 1, calibration }, frame);
      const found = await askPython(
        encodeTableModel({ task: "binary", model, calibration }, {}),
        frame,
      );
      expect(distanceOf(found, wanted.values)).toBeLessThanOrEqual(1e-6);
      // A row of other columns would be answered otherwise: the comparison can fail.
      const turned = framed(
        frame,
        Int32Array.from({ length: frame.rows }, (_, row) => frame.rows - 1 - row),
      );
      const other = answersOf(model, { task: "binary", width: 1, calibration }, turned);
      expect(distanceOf(found, other.values)).toBeGreaterThan(0.1);
    },
    60_000,
  );
}

test.if(present)(
  "and gives the value and the quantiles of a number as the models do",
  async () => {
    const known = await read("adult.data");
    const { frame } = await read("adult.test", known.frame);
    // The age, from the other columns.
    const [age] = known.frame.columns;
    if (age?.kind !== "number") throw new Error("no age");
    const target = Float64Array.from(age.values, (x) => x / 100);
    const without = ({ rows, columns }: Frame): Frame => ({
      rows,
      columns: columns.filter(({ name }) => name !== "age"),
    });
    const sample = { ...known, frame: without(known.frame), target };
    const span = (from: number, to: number) =>
      rowsOf(
        sample,
        Int32Array.from({ length: to - from }, (_, i) => from + i),
      );
    const rows = { fitted: span(0, 3_000), choosing: span(3_000, 4_000), whole: span(0, 4_000) };
    const options = { ...GBDT_DEFAULTS, rounds: 40 };
    const levels = [0.05, 0.25, 0.5, 0.95];
    const quantiles = fitQuantiles(rows, options, { levels, gbdt: {}, patience: 0 }, 7);
    expect(quantiles.offset).not.toBe(0);
    const model = gbdt.fit(rows.whole, { ...options, objective: "squared_error" }, 7);
    const calibration = { slope: 1, intercept: 0 };
    const artifact = encodeTableModel({ task: "regression", model, calibration, quantiles }, {});
    const asked = without(frame);
    const value = answersOf(model, { task: "regression", width: 1, calibration }, asked).values;
    const found = await askPython(artifact, asked, "quantiles");
    expect(distanceOf(await askPython(artifact, asked, "value"), value)).toBeLessThanOrEqual(1e-6);
    expect(found).toHaveLength(4 * 16_281);
    expect(distanceOf(found, quantilesOf(quantiles, asked))).toBeLessThanOrEqual(1e-6);
    const other = quantilesOf({ ...quantiles, offset: quantiles.offset + 0.01 }, asked);
    expect(distanceOf(found, other)).toBeGreaterThan(0.005);
  },
  60_000,
);

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GBDT_DEFAULTS } from "../learn/gbdt/options.ts";
import { logit } from "../learn/math.ts";
import type { TableTask } from "../learn/table/answers.ts";
import type { TableRecipe } from "../learn/table/recipe.ts";
import { trainTable } from "../learn/table/train.ts";
import { mixedSample } from "../learn/testing.ts";
import { modelMetadata } from "../onnx/read.ts";
import { encodeTableModel } from "../onnx/table.ts";
import { asTable, type LoadedTable, openArtifact } from "../serve/loaded.ts";
import { loadRuntime } from "../serve/runtime.ts";
import { type TableFacts, tableMetadata } from "../serve/table.ts";
import { MAX_EXPLAINED, predictTable } from "./table-predict.ts";
import { rowsOfTableJson } from "./table-rows.ts";

const SAMPLE = mixedSample(2_000, 61);
const RECIPE: TableRecipe = {
  ...{ task: "binary", width: 1, seed: 7, test: "split", testShare: 0.2, validationShare: 0.2 },
  ...{ trainers: ["gbdt"], gbdt: { ...GBDT_DEFAULTS, rounds: 20 }, patience: 0, search: null },
  ...{ linear: { l2: 1, rounds: 20, indicators: true }, threshold: 0.4 },
  quantiles: null,
};
const TOWNS = SAMPLE.frame.columns[3]?.kind === "category" ? SAMPLE.frame.columns[3].levels : [];
const TARGETS: Readonly<Record<TableTask, (y: number, row: number) => number>> = {
  binary: (y) => y,
  multiclass: (y, row) => (y === 0 ? 0 : 1 + (row % 2)),
  regression: (y) => 100 + 50 * y,
  count: (y) => 2 + 6 * y,
};

let folder: string;
const loaded = new Map<string, LoadedTable>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-predict-"));
  const runtime = await loadRuntime(folder);
  for (const [name, task, trainer] of [
    ["binary", "binary", "gbdt"],
    ["multiclass", "multiclass", "gbdt"],
    ["regression", "regression", "gbdt"],
    ["quantiles", "regression", "gbdt"],
    ["count", "count", "gbdt"],
    ["linear", "binary", "logistic"],
  ] as const) {
    const target = SAMPLE.target.map(TARGETS[task]);
    const width = task === "multiclass" ? 3 : 1;
    const levels = name === "quantiles" ? [0.025, 0.5, 0.9] : [];
    const quantiles = levels.length === 0 ? null : { levels, gbdt: {}, patience: 0 };
    const recipe = { ...RECIPE, task, width, trainers: [trainer], quantiles };
    const { fit } = trainTable({ ...SAMPLE, target }, new Uint8Array(2_000), recipe);
    const calibration = { slope: 0.9, intercept: 0.1 };
    const facts: TableFacts = {
      ...{ kind: "table", model: "towns", task, target: "y", ignored: [], unseen: "missing" },
      columns: SAMPLE.frame.columns.map(({ name, kind }) =>
        kind === "number"
          ? { name, type: kind, integer: false, required: false }
          : { name, type: kind, required: false, seen: [...TOWNS] },
      ),
      form: { delimiter: ",", quote: '"', trim: true, decimal: ".", missing: [] },
      classes: task === "binary" ? ["no", "yes"] : task === "multiclass" ? ["r", "g", "b"] : [],
      ...{ threshold: fit.threshold, calibration, trainer, dataset_digest: "d" },
      quantiles: levels,
    };
    const parts = { task, model: fit.model, calibration, quantiles: fit.quantiles };
    const bytes = encodeTableModel(parts, { ...tableMetadata(facts), ...modelMetadata(fit.model) });
    loaded.set(name, asTable(await openArtifact(runtime, bytes)));
  }
});
afterAll(async () => {
  for (const { session } of loaded.values()) await session.release();
  await rm(folder, { recursive: true, force: true });
});

const champion = (name: string) => ({
  ...loaded.get(name)!,
  ...{ model: "towns", version: 2, digest: "d", since: 0, runId: null },
});
const ROWS = Array.from({ length: 40 }, (_, i) => ({
  a: i % 7 === 0 ? null : i / 10 - 2,
  b: 2 - i / 10,
  noise: 0,
  town: i % 5 === 0 ? null : TOWNS[i % TOWNS.length],
}));
const ask = (name: string, instances: readonly unknown[] = ROWS, explain = false) => {
  const { facts } = loaded.get(name)!;
  return predictTable(champion(name), rowsOfTableJson({ instances }, facts), explain);
};

describe("answers", () => {
  test("two classes: the label is the probability at the threshold, not at a half", async () => {
    const all = await ask("binary");
    expect(all).toHaveLength(40);
    for (const { label, probability } of all)
      expect(label).toBe(probability! >= 0.4 ? "yes" : "no");
    expect(new Set(all.map(({ label }) => label)).size).toBe(2);
    expect(all.some(({ probability: p }) => p! >= 0.4 && p! < 0.5)).toBe(true);
    expect(new Set(all.map(({ id }) => id)).size).toBe(40);
  });

  test("several classes: the label's probability is the largest, and all add up to 1", async () => {
    for (const { label, probability, probabilities } of await ask("multiclass")) {
      expect(Object.keys(probabilities!)).toEqual(["r", "g", "b"]);
      expect(probabilities![label!]).toBe(probability!);
      const values = Object.values(probabilities!);
      expect(Math.max(...values)).toBe(probability!);
      expect(values.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
  });

  test("numbers and counts: a value", async () => {
    for (const name of ["regression", "count"]) {
      const all = await ask(name);
      expect(Object.keys(all[0]!)).toEqual(["id", "value"]);
      const values = all.map(({ value }) => value!);
      expect(Math.max(...values)).toBeGreaterThan(1.3 * Math.min(...values));
    }
  });

  test("a number with quantiles has them by name, none above the next, in any batch", async () => {
    const many = Array.from({ length: 1_100 }, (_, i) => ROWS[i % 40]!);
    const all = await ask("quantiles", many);
    expect(Object.keys(all[0]!)).toEqual(["id", "value", "quantiles"]);
    for (const { quantiles } of all) {
      const { "p2.5": low = 0, p50 = 0, p90 = 0 } = quantiles!;
      expect([Object.keys(quantiles!), low <= p50, p50 <= p90]).toEqual([
        ["p2.5", "p50", "p90"],
        true,
        true,
      ]);
    }
    expect(all[1_099]!.quantiles!).toEqual(all[1_099 % 40]!.quantiles!);
    expect(new Set(all.map(({ quantiles }) => quantiles!["p50"])).size).toBeGreaterThan(1);
  });

  test("each row alone is answered as in its batch, and a large batch in order", async () => {
    const many = Array.from({ length: 2_500 }, (_, i) => ROWS[i % 40]!);
    const all = await ask("binary", many);
    for (const i of [0, 1_023, 1_024, 2_047, 2_048, 2_499]) {
      const [alone] = await ask("binary", [many[i]]);
      expect(all[i]!.probability).toBe(alone!.probability!);
    }
  });

  test("a warning stands beside the answer of its row", async () => {
    const all = await ask("binary", [
      ROWS[1],
      { ...ROWS[1], town: "zzz" },
      { ...ROWS[1], town: null },
    ]);
    expect(all.map(({ warnings }) => warnings)).toEqual([
      undefined,
      ['town: "zzz" was not there to learn from; taken as missing'],
      undefined,
    ]);
    expect(all[1]!.probability).toBe(all[2]!.probability!);
  });
});

describe("explanations", () => {
  for (const name of ["binary", "linear"]) {
    test(`base and contributions are the log-odds of the probability (${name})`, async () => {
      for (const { base, contributions, probability } of await ask(name, ROWS, true)) {
        expect(Object.keys(contributions!)).toEqual(["a", "b", "noise", "town"]);
        const sum = Object.values(contributions!).reduce((a, b) => a + b, base!);
        expect(sum).toBeCloseTo(logit(probability!), 4);
      }
    });
  }

  test("of a number they are the number, of a count its logarithm", async () => {
    for (const name of ["regression", "quantiles"]) {
      for (const { base, contributions, value } of await ask(name, ROWS, true)) {
        expect(Object.values(contributions!).reduce((a, b) => a + b, base!)).toBeCloseTo(value!, 3);
      }
    }
    for (const { base, contributions, value } of await ask("count", ROWS, true)) {
      const sum = Object.values(contributions!).reduce((a, b) => a + b, base!);
      expect(sum).toBeCloseTo(Math.log(value!), 4);
    }
  });

  test("of several classes they are those of the label", async () => {
    const all = await ask("multiclass", ROWS, true);
    const bases = new Map(all.map(({ label, base }) => [label, base]));
    expect(bases.size).toBeGreaterThan(1);
    for (const { label, base } of all) expect(bases.get(label)).toBe(base);
    expect(new Set(bases.values()).size).toBe(bases.size);
  });

  test("are the same for a row alone, and bounded in number", async () => {
    const all = await ask("binary", ROWS, true);
    const [alone] = await ask("binary", [ROWS[17]], true);
    expect(alone!.contributions).toEqual(all[17]!.contributions!);
    const many = Array.from({ length: MAX_EXPLAINED + 1 }, () => ROWS[1]);
    await expect(ask("binary", many, true)).rejects.toMatchObject({ code: "too_many_rows" });
  });
});

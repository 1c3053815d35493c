/*
 * What a model file says is what is done: each option from its TOML to the fit.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rowsOfTableJson } from "../../http/table-rows.ts";
import { answersOf } from "../../learn/table/answers.ts";
import { type TableFit, trainTable } from "../../learn/table/train.ts";
import { mixedSample } from "../../learn/testing.ts";
import type { Sample, Tree, TreeModel } from "../../learn/types.ts";
import { column, tableModel } from "../../table/fixture.ts";
import { loadRows } from "../../table/load.ts";
import { judgeTableRun } from "./evaluate.ts";
import { partsOf, type Work, workIn } from "./fixture.ts";
import { recipeOf } from "./recipe.ts";

const COLUMNS = [
  ...["a", "b", "noise"].map((name) => column(name, "number")),
  ...[column("town", "category"), column("y", "category")],
].join("");
const NUMBERS = COLUMNS.replace(/name = "y"\ntype = "category"/, 'name = "y"\ntype = "number"');
const ROWS = 1_500;
const SAMPLE = mixedSample(ROWS, 9);
/** A number of the same columns: a hessian of 1 a row, so that covers count rows. */
const NUMBER: Sample = { ...SAMPLE, target: SAMPLE.target.map((y, i) => 5 * y + (i % 7) / 7) };
const SPLIT = '[evaluate]\ntest = "split"\n';
const TARGET = '[table.target]\ncolumn = "y"\nkind = "regression"\n';

/** What is fitted with these lines in the section `[train.gbdt]`. */
const fitWith = (gbdt: string, kind: "binary" | "regression" = "binary", more = ""): TableFit => {
  const train = `[train]\ntrainers = ["gbdt"]\n[train.gbdt]\nrounds = 12\n${gbdt}\n${SPLIT}${more}`;
  const model =
    kind === "binary" ? tableModel(COLUMNS, train) : tableModel(NUMBERS, `${TARGET}${train}`);
  const sample = kind === "binary" ? SAMPLE : NUMBER;
  return trainTable(sample, new Uint8Array(ROWS), recipeOf(model, 2)).fit;
};
const treesOf = ({ model }: TableFit): readonly Tree[] => (model as TreeModel).trees;
const nodesOf = (fit: TableFit, leaves: boolean) =>
  treesOf(fit).flatMap((tree) =>
    [...tree.feature.entries()]
      .filter(([, feature]) => (feature === -1) === leaves)
      .map(([node, feature]) => ({
        feature,
        value: tree.value[node]!,
        gain: tree.gain[node]!,
        cover: tree.cover[node]!,
        threshold: tree.threshold[node]!,
      })),
  );
const leavesOf = (fit: TableFit) => nodesOf(fit, true);
const splitsOf = (fit: TableFit) => nodesOf(fit, false);
const sizes = (fit: TableFit) => leavesOf(fit).reduce((sum, { value }) => sum + Math.abs(value), 0);

describe("[train.gbdt]", () => {
  const plain = fitWith("");
  const number = fitWith("", "regression");

  test("rounds, rate, leaves, depth", () => {
    expect(treesOf(plain)).toHaveLength(12);
    const first = (fit: TableFit) => treesOf(fit)[0]!.value.find((value) => value !== 0)!;
    expect(first(fitWith("rate = 0.05")) / first(plain)).toBeCloseTo(0.5, 6);
    const leaves = (fit: TableFit) =>
      treesOf(fit).map(({ feature }) => feature.filter((f) => f === -1).length);
    expect(Math.max(...leaves(fitWith("leaves = 3")))).toBe(3);
    expect(Math.max(...leaves(fitWith("depth = 2")))).toBe(4);
    expect(Math.max(...leaves(plain))).toBeGreaterThan(4);
  });

  test("l1 and l2 draw leaves to 0", () => {
    expect(sizes(fitWith("l1 = 10"))).toBeLessThan(0.8 * sizes(plain));
    expect(treesOf(fitWith("l1 = 1000000"))).toHaveLength(0);
    expect(sizes(fitWith("l2 = 100"))).toBeLessThan(0.8 * sizes(plain));
  });

  test("min_rows, min_hessian and min_gain hold in every leaf and split", () => {
    const least = (fit: TableFit) => Math.min(...leavesOf(fit).map(({ cover }) => cover));
    expect(least(number)).toBeLessThan(100);
    expect(least(fitWith("min_rows = 100", "regression"))).toBeGreaterThanOrEqual(100);
    expect(least(plain)).toBeLessThan(20);
    expect(least(fitWith("min_hessian = 20"))).toBeGreaterThanOrEqual(20);
    const gain = (fit: TableFit) => Math.min(...splitsOf(fit).map((split) => split.gain));
    expect(gain(plain)).toBeLessThan(2);
    expect(gain(fitWith("min_gain = 2"))).toBeGreaterThanOrEqual(2);
  });

  test("row_share and column_share draw for each tree, by the seed", () => {
    const roots = (fit: TableFit) => treesOf(fit).map(({ cover }) => cover[0]);
    const { train, validation } = number.rows;
    const drawn = fitWith("row_share = 0.4", "regression");
    expect(new Set(roots(number))).toEqual(new Set([train + validation]));
    expect(new Set(roots(drawn))).toEqual(new Set([Math.round(0.4 * (train + validation))]));
    const used = (fit: TableFit) =>
      treesOf(fit).map(({ feature }) => new Set(feature.filter((f) => f >= 0)).size);
    expect(Math.max(...used(plain))).toBeGreaterThan(2);
    expect(Math.max(...used(fitWith("column_share = 0.25")))).toBe(1);
  });

  test("bins bound what is told apart", () => {
    const thresholds = (fit: TableFit) =>
      new Set(splitsOf(fit).flatMap((split) => (split.feature === 0 ? [split.threshold] : [])))
        .size;
    expect(thresholds(plain)).toBeGreaterThan(8);
    expect(thresholds(fitWith("bins = 4"))).toBeLessThanOrEqual(4);
  });

  test("monotone: the answer only falls as the number grows, though it rises in the rows", () => {
    const grid = Float32Array.from({ length: 60 }, (_, i) => i / 10 - 3);
    const rises = ({ model, reading }: TableFit) => {
      const frame = {
        rows: 60,
        columns: SAMPLE.frame.columns.map((one) =>
          one.kind === "category"
            ? { ...one, codes: new Int32Array(60) }
            : { ...one, values: one.name === "a" ? grid : new Float32Array(60) },
        ),
      };
      const { values } = answersOf(model, reading, frame);
      return values.filter((value, i) => i > 0 && value > values[i - 1]!).length;
    };
    expect(rises(plain)).toBeGreaterThan(5);
    expect(rises(fitWith("monotone = { a = -1 }"))).toBe(0);
  });

  test("patience ends boosting on the rows kept aside, whose share the file gives", () => {
    const stopped = fitWith("rate = 0.5\npatience = 3").gbdt;
    expect(stopped.rounds).toBeLessThan(12);
    const share = tableModel(
      COLUMNS,
      `[train]\ntrainers = ["gbdt"]\nvalidation_share = 0.4\n${SPLIT}`,
    );
    const { rows } = trainTable(SAMPLE, new Uint8Array(ROWS), recipeOf(share, 2)).fit;
    expect(rows.validation / (rows.train + rows.validation)).toBeCloseTo(0.4, 2);
  });
});

let root: string;
let work: Work;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-options-"));
  work = workIn(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

const TINY = "[train.gbdt]\nrounds = 8\nleaves = 4\n";
const cells = ({ frame, target }: Sample, label: (y: number, row: number) => string): string => {
  const lines = Array.from({ length: frame.rows }, (_, row) =>
    [
      ...frame.columns.map((one) =>
        one.kind === "number"
          ? Number.isNaN(one.values[row]!)
            ? ""
            : one.values[row]
          : (one.levels[one.codes[row]!] ?? ""),
      ),
      label(target[row]!, row),
    ].join(","),
  );
  return `a,b,noise,town,y\n${lines.join("\n")}\n`;
};
const words = (y: number) => (y === 1 ? "yes" : "no");
const trainOn = async (model: Parameters<Work>[0], text: string, test: string | null = null) =>
  (await (await work(model, await partsOf(model, text, test))).train()).result.trained!;

describe("[search]", () => {
  const searched = async (lines: string) =>
    trainOn(
      tableModel(
        COLUMNS,
        `[train]\ntrainers = ["gbdt"]\n${TINY}${SPLIT}[search]\n${lines}\n[search.space]\nleaves = [3, 6]\nl1 = { values = [0.5, 2] }\nrate = { log = [0.05, 0.2] }`,
      ),
      cells(SAMPLE, words),
    );

  test("random: so many trials, of what the space holds, the best of which is fitted", async () => {
    const { trials, params } = await searched('seconds = 60\ntrials = 6\nmethod = "random"');
    expect(trials.map(({ budget }) => budget)).toEqual([1, 1, 1, 1, 1, 1]);
    for (const { options } of trials.slice(1)) {
      const { leaves, l1, rate, ...rest } = options as Record<string, number>;
      expect(rest).toEqual({});
      expect([3, 4, 5, 6]).toContain(leaves!);
      expect([0.5, 2]).toContain(l1!);
      expect(rate! >= 0.05 && rate! <= 0.2).toBe(true);
    }
    const best = trials.reduce((a, b) => (b.loss! < a.loss! ? b : a));
    expect(params).toMatchObject({
      ...{ "gbdt.leaves": best.options["leaves"], "gbdt.l1": best.options["l1"] },
      ...{ "search.trials": 6, "search.method": "random" },
    });
  });

  test("halving: most trials on less, some on all; no time is over after the first", async () => {
    const { trials } = await searched("seconds = 60\ntrials = 6");
    const budgets = trials.map(({ budget }) => budget);
    expect(new Set(budgets).size).toBe(3);
    expect(budgets.filter((budget) => budget < 1).length).toBeGreaterThan(budgets.length / 2);
    expect((await searched("seconds = 0.0001\ntrials = 6")).trials).toHaveLength(1);
    expect((await searched("seconds = 0\ntrials = 6")).trials).toHaveLength(0);
  });
});

describe("the table", () => {
  const train = `[train]\ntrainers = ["gbdt"]\n${TINY}`;

  test("weights: rows that weigh nothing are as if they were not there", async () => {
    const model = tableModel(
      `${column("a", "number")}${column("y", "number")}${column("w", "number")}`,
      `${TARGET}[table.weight]\ncolumn = "w"\n${train}${SPLIT}`,
    );
    const rows = Array.from({ length: 800 }, (_, i) =>
      i % 2 === 0 ? `${i % 10},3,1` : `${i % 10},900,0`,
    );
    const { judged } = await trainOn(model, `a,y,w\n${rows.join("\n")}\n`);
    for (const value of judged.values) expect(value).toBeCloseTo(3, 6);
  });

  test("labels and positive: written otherwise they are the same class", async () => {
    const text = (label: (y: number, row: number) => string) => cells(SAMPLE, label);
    const of = (more: string) =>
      tableModel(
        COLUMNS,
        `[table.target]\ncolumn = "y"\nkind = "binary"\n${more}\n${train}${SPLIT}`,
      );
    const plain = of('positive = "yes"\nnegative = "no"');
    const mapped = of('positive = "yes"\nlabels = { J = "yes", "no." = "no" }');
    const turned = of('positive = "no"\nnegative = "yes"');
    const odd = (y: number, row: number) => (y === 1 ? (row % 2 ? "yes" : "J") : "no.");
    const target = async (model: typeof plain, written: string) =>
      loadRows(model.table, await partsOf(model, written)).target;
    const wanted = [...SAMPLE.target];
    expect([...(await target(plain, text(words)))]).toEqual(wanted);
    expect([...(await target(mapped, text(odd)))]).toEqual(wanted);
    expect([...(await target(turned, text(words)))]).toEqual(wanted.map((y) => 1 - y));
    const { facts, report } = await trainOn(turned, text(words));
    expect(facts.classes).toEqual(["yes", "no"]);
    expect(report.binary).toMatchObject({ positive: "no", negative: "yes" });
  });

  test('unseen = "error": a level that was never learned is refused, else it is missing', async () => {
    const instances = [{ a: 1, b: 1, noise: 0, town: "atlantis" }];
    for (const unseen of ["error", "missing"]) {
      const model = tableModel(COLUMNS, `${train}${SPLIT}`, `unseen = "${unseen}"`);
      const { facts } = await trainOn(model, cells(SAMPLE, words));
      const ask = () => rowsOfTableJson({ instances }, facts);
      if (unseen === "missing") expect(ask().warnings.get(0)?.[0]).toContain("atlantis");
      else expect(ask).toThrow(expect.objectContaining({ code: "invalid_instances" }));
    }
  });

  test("evaluate.test: the part, a drawn share, or the last rows judge", async () => {
    const text = cells(SAMPLE, words);
    const [header, ...lines] = text.trimEnd().split("\n");
    const first = [header, ...lines.slice(0, 1_200)].join("\n");
    const last = [header, ...lines.slice(1_200)].join("\n");
    const judgedBy = async (evaluate: string, test: string | null) => {
      const model = tableModel(COLUMNS, `${train}[evaluate]\n${evaluate}`);
      const { judged, rows } = await trainOn(model, test === null ? text : first, test);
      expect(rows.test).toBe(judged.rows.length);
      return judged.rows;
    };
    const span = (from: number) => Array.from({ length: ROWS - from }, (_, i) => from + i);
    expect(await judgedBy('test = "part"', last)).toEqual(span(1_200));
    expect(await judgedBy('test = "last"\ntest_share = 0.1', null)).toEqual(span(1_350));
    const drawn = await judgedBy('test = "split"\ntest_share = 0.4', null);
    expect(drawn.length / ROWS).toBeCloseTo(0.4, 1);
    expect(drawn).not.toEqual(span(ROWS - drawn.length));
  });
});

test("[[promote.slices]] that is not held keeps a version from being promoted", async () => {
  const model = (gate: string) =>
    tableModel(
      COLUMNS,
      `[train]\ntrainers = ["gbdt"]\n${TINY}${SPLIT}slices = ["town", { column = "b", bands = [0] }]\n[[promote.slices]]\ncolumn = "town"\n${gate}`,
    );
  const judge = async (gate: string) => {
    const trained = await trainOn(model(gate), cells(SAMPLE, words));
    const { metrics, slice_gates } = trained.report;
    const kept = { ...trained, dataset_digest: "d", metrics, slice_gates, checks: [] };
    const never = () => Promise.reject(new Error("not asked for"));
    const { passed, gates } = await judgeTableRun(
      model(gate),
      { runId: "r", version: 1 },
      {
        champions: {
          use: never,
          refresh: async () => {},
          state: () => ({ champion: null, trouble: null }),
        },
        tracking: {
          readArtifact: async () => new TextEncoder().encode(JSON.stringify(kept)),
        } as unknown as Parameters<typeof judgeTableRun>[2]["tracking"],
        imports: { load: never },
      },
    );
    return { passed, failed: gates.filter((one) => !one.passed).map(({ name }) => name) };
  };
  expect(await judge("min_recall = 0.01\nmax_gap = 0.99")).toEqual({ passed: true, failed: [] });
  expect(await judge("min_recall = 1")).toEqual({ passed: false, failed: ["slices"] });
  expect(await judge("max_gap = 0")).toEqual({ passed: false, failed: ["slices"] });
});

describe("quantiles", () => {
  const model = tableModel(
    NUMBERS,
    `${TARGET}[train]\ntrainers = ["gbdt", "linear"]\nquantiles = [0.1, 0.5, 0.9]\n[train.gbdt]\nrounds = 30\nleaves = 6\n[train.quantile]\nrounds = 60\n${SPLIT}`,
  );

  test("are fitted, corrected, judged, compared with the artifact, and told of in its facts", async () => {
    const noisy = cells(NUMBER, (y, row) => String(y + ((row * 37) % 100) / 50));
    const { params, facts, parity, report } = await trainOn(model, noisy);
    expect(facts.quantiles).toEqual([0.1, 0.5, 0.9]);
    expect(params).toMatchObject({ quantiles: "0.1 0.5 0.9", "quantiles.rounds": "60 60 60" });
    expect(parity.maxDifference).toBeLessThan(1e-5);
    const { metrics } = report;
    expect(Math.abs(metrics["coverage_80"]! - 0.8)).toBeLessThan(0.07);
    expect(metrics["interval_width"]).toBeGreaterThan(0.5);
    for (const name of ["p10", "p50", "p90"]) {
      expect(metrics[`pinball_${name}`]!).toBeLessThan(metrics[`base_pinball_${name}`]!);
    }
    expect(Math.abs(metrics["share_below_p50"]! - 0.5)).toBeLessThan(0.2);
  });

  test("the trainer of a number is called linear where the line is the better one", async () => {
    const straight = cells(NUMBER, (_, row) => {
      const [a, b] = NUMBER.frame.columns;
      return a?.kind === "number" && b?.kind === "number"
        ? String((Number.isNaN(a.values[row]!) ? 0 : a.values[row]!) + 2 * b.values[row]!)
        : "";
    });
    const { params, facts, parity } = await trainOn(model, straight);
    expect([params["trainer"], facts.trainer, params["linear.l2"]]).toEqual([
      "linear",
      "linear",
      1,
    ]);
    expect(parity.maxDifference).toBeLessThan(1e-5);
  });
});

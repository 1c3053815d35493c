/*
 * The evaluation report of a table's training, from what the training found.
 */
import { partialDependence } from "../../learn/dependence.ts";
import { importanceOf } from "../../learn/importance.ts";
import { permutationImportance } from "../../learn/permutation.ts";
import { answersOf, lossesOf, TASK_LOSS } from "../../learn/table/answers.ts";
import type { JudgedQuantiles } from "../../learn/table/quantiles.ts";
import { framed } from "../../learn/table/split.ts";
import type { Judged, TableFit } from "../../learn/table/train.ts";
import type { TableFile } from "../../models.ts";
import { type ReportAnswers, type TableReportJson, tableReport } from "../../report/table.ts";
import type { TableFacts } from "../../serve/table.ts";
import type { TableRows } from "../../table/rows.ts";
import { type ChampionOn, strangerTo } from "./compare.ts";
import type { TableJob } from "./job.ts";
import { paramsOf } from "./recipe.ts";

/** Rows on which columns are shuffled, and how often: enough to rank those that matter. */
const PERMUTED_ROWS = 500;
const PERMUTATIONS = 1;
/** Columns whose effect the report draws, the most important first. */
const DRAWN_COLUMNS = 6;
const DRAWN = { points: 12, levels: 12, rows: 100 };

/** The report, without run, version and time, which the child does not know. */
export function reportOf(
  { model, checks, data }: TableJob,
  table: TableRows,
  fit: TableFit,
  judged: Judged,
  facts: TableFacts,
  champion: ChampionOn | null,
): TableReportJson {
  const { frame, target } = judged.sample;
  const comparable =
    champion !== null && "values" in champion && strangerTo(facts, champion.facts) === null;
  const importance =
    fit.model.kind === "trees" || fit.model.kind === "softmax" ? importanceOf(fit.model) : [];
  const few = framed(frame, evenly(frame.rows, PERMUTED_ROWS));
  const fewTarget = Float64Array.from(evenly(frame.rows, PERMUTED_ROWS), (row) => target[row]!);
  const permutation = permutationImportance(
    few,
    (changed) =>
      lossesOf(
        TASK_LOSS[facts.task],
        answersOf(fit.model, fit.reading, changed),
        fewTarget,
        facts.threshold,
      ),
    { seed: model.train.seed, repeats: PERMUTATIONS },
  );
  const drawn = facts.task === "multiclass" ? [] : permutation.slice(0, DRAWN_COLUMNS);
  return tableReport({
    about: {
      model: model.name,
      run: null,
      version: null,
      trainer: fit.trainer,
      target: facts.target,
      made_at: null,
      seed: model.train.seed,
      dataset: {
        digest: table.digest,
        train_rows: fit.rows.train,
        validation_rows: fit.rows.validation,
        judged_rows: fit.rows.test,
        judged: judgedBy(model),
      },
      params: paramsOf(model, fit),
    },
    answers: reportAnswers(model, judged, facts, comparable ? champion : null),
    frame,
    slices: model.evaluate.slices,
    requirements: model.promote.slices.map(({ column, min_recall, max_gap }) => ({
      column,
      minRecall: min_recall,
      maxGap: max_gap,
    })),
    checks: checks
      .filter(({ verdict }) => verdict !== "off")
      .map(({ name, verdict, detail }) => ({ name, verdict: SAID[verdict], detail })),
    data,
    rounds: fit.curve,
    importance,
    permutation,
    dependence: drawn.map(({ name }) =>
      partialDependence(
        frame,
        frame.columns.findIndex((column) => column.name === name),
        (changed) => answersOf(fit.model, fit.reading, changed).values,
        DRAWN,
      ),
    ),
    ...(fit.trials.length === 0
      ? {}
      : {
          search: {
            method: model.search.method,
            trials: fit.trials,
            best: bestOf(fit),
          },
        }),
  });
}

const SAID = { pass: "passed", warn: "warned", fail: "failed", off: "passed" } as const;

const judgedBy = ({ evaluate }: TableFile): string =>
  evaluate.test === "part"
    ? "part test"
    : `${evaluate.test === "last" ? "the last" : "a drawn"} ${Math.round(100 * evaluate.test_share)} %`;

/** The trial whose options were fitted: the lowest loss among those on all rows. */
const bestOf = ({ trials }: TableFit) => {
  const most = Math.max(...trials.map(({ budget }) => budget));
  const whole = trials.filter(({ budget, loss }) => budget === most && loss !== null);
  return whole.reduce<(typeof trials)[number] | null>(
    (best, next) => (best === null || next.loss! < best.loss! ? next : best),
    null,
  );
};

function reportAnswers(
  model: TableFile,
  { answers, baseline, sample, quantiles }: Judged,
  facts: TableFacts,
  against: ChampionOn | null,
): ReportAnswers {
  const { values } = answers;
  const champion =
    against !== null && "values" in against
      ? { version: String(against.version), values: against.values }
      : null;
  if (facts.task === "binary") {
    const [negative = "", positive = ""] = facts.classes;
    return {
      kind: "binary",
      positive,
      negative,
      probability: values,
      target: sample.target,
      threshold: facts.threshold,
      rule: String(model.evaluate.threshold),
      baseRate: baseline.values[0] ?? 0,
      champion,
    };
  }
  if (facts.task === "multiclass") {
    return {
      kind: "multiclass",
      classes: facts.classes,
      probability: values,
      target: Int32Array.from(sample.target),
      baseRates: [...baseline.values.subarray(0, facts.classes.length)],
      champion,
    };
  }
  return {
    kind: facts.task,
    forecast: values,
    target: sample.target,
    baseMean: baseline.values[0] ?? 0,
    ...intervalOf(quantiles),
    quantiles,
    champion,
  };
}

/** The outer two of several quantiles, and the share that should lie between them. */
const intervalOf = (quantiles: JudgedQuantiles | null) => {
  if (quantiles === null || quantiles.levels.length < 2) return {};
  const { levels, values } = quantiles;
  const width = levels.length;
  const [lowest = 0, highest = 1] = [levels[0], levels.at(-1)];
  return {
    interval: {
      low: values.filter((_, at) => at % width === 0),
      high: values.filter((_, at) => at % width === width - 1),
      coverage: highest - lowest,
    },
  };
};

/** Up to `most` of so many rows, evenly spaced. */
const evenly = (rows: number, most: number): Int32Array => {
  const count = Math.min(rows, most);
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
};

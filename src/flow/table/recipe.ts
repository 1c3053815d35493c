/*
 * A table's model file as the recipe of its training, and what a run keeps of it.
 */
import { GBDT_DEFAULTS, type GbdtOptions } from "../../learn/gbdt/options.ts";
import type { Range, Space } from "../../learn/search.ts";
import type { TableRecipe } from "../../learn/table/recipe.ts";
import type { TableFit } from "../../learn/table/train.ts";
import type { SearchRange } from "../../models/table-train.ts";
import type { TableFile } from "../../models.ts";

/** The trees' options by their names in a model file. */
const TREE_OPTIONS = {
  rounds: "rounds",
  rate: "rate",
  leaves: "leaves",
  depth: "depth",
  min_rows: "minRows",
  min_hessian: "minHessian",
  l1: "l1",
  l2: "l2",
  min_gain: "minGain",
  row_share: "rowShare",
  column_share: "columnShare",
  bins: "bins",
} as const satisfies Readonly<Record<string, keyof GbdtOptions>>;

type TreeOption = keyof typeof TREE_OPTIONS;
const OPTION_NAMES = Object.keys(TREE_OPTIONS) as TreeOption[];

/** The recipe that a model file asks for, over so many classes. */
export function recipeOf(
  { train, evaluate, search, table }: TableFile,
  classes: number,
): TableRecipe {
  const { kind } = table.target;
  const { patience } = train.gbdt;
  return {
    task: kind,
    width: kind === "multiclass" ? classes : 1,
    seed: train.seed,
    trainers: train.trainers,
    validationShare: train.validation_share,
    test: evaluate.test,
    testShare: evaluate.test_share,
    gbdt: {
      ...GBDT_DEFAULTS,
      ...Object.fromEntries(OPTION_NAMES.map((name) => [TREE_OPTIONS[name], train.gbdt[name]])),
      monotone: train.gbdt.monotone,
    },
    patience,
    linear: { l2: linearOf(train).l2, rounds: 25, indicators: true },
    quantiles:
      train.quantiles.length === 0
        ? null
        : {
            levels: train.quantiles,
            gbdt: Object.fromEntries(
              OPTION_NAMES.flatMap((name) => {
                const value = train.quantile?.[name];
                return value === undefined ? [] : [[TREE_OPTIONS[name], value]];
              }),
            ),
            patience: train.quantile?.patience ?? patience,
          },
    threshold: evaluate.threshold,
    search:
      search.seconds === 0
        ? null
        : { space: spaceOf(search.space), method: search.method, trials: search.trials },
  };
}

/** A model file has one of the two sections at most, by the kind of its target. */
const linearOf = ({ logistic, linear }: TableFile["train"]) => logistic ?? linear ?? { l2: 1 };

function spaceOf(space: TableFile["search"]["space"]): Space {
  return Object.fromEntries(
    OPTION_NAMES.flatMap((name) => {
      const range = space[name];
      return range === undefined ? [] : [[TREE_OPTIONS[name], valuesOf(range)]];
    }),
  );
}

const valuesOf = (range: SearchRange): Range | readonly number[] =>
  "values" in range
    ? range.values
    : {
        low: range.low,
        high: range.high,
        scale: range.log ? "log" : "linear",
        integer: range.whole,
      };

/** What was trained with, as the params of its run. */
export function paramsOf(model: TableFile, fit: TableFit): Record<string, string | number> {
  const { train, evaluate, search, table } = model;
  const { calibration } = fit.reading;
  const params: Record<string, string | number> = {
    target: table.target.column,
    task: table.target.kind,
    trainer: fit.trainer,
    trainers: train.trainers.join(" "),
    seed: train.seed,
    validation_share: train.validation_share,
    rows_train: fit.rows.train,
    rows_validation: fit.rows.validation,
    rows_test: fit.rows.test,
    calibration_slope: calibration.slope,
    calibration_intercept: calibration.intercept,
    threshold: fit.threshold,
    [`${table.target.kind === "binary" ? "logistic" : "linear"}.l2`]: linearOf(train).l2,
    "gbdt.patience": train.gbdt.patience,
    "evaluate.test": evaluate.test,
    "evaluate.threshold": evaluate.threshold,
    "search.trials": fit.trials.length,
  };
  if (fit.quantiles !== null) {
    params["quantiles"] = fit.quantiles.levels.join(" ");
    params["quantiles.offset"] = fit.quantiles.offset;
    params["quantiles.rounds"] = fit.quantiles.models.map(({ trees }) => trees.length).join(" ");
  }
  if (search.seconds > 0) {
    params["search.method"] = search.method;
    params["search.seconds"] = search.seconds;
  }
  // Those that were fitted, which a search may have found.
  for (const name of OPTION_NAMES) params[`gbdt.${name}`] = Number(fit.gbdt[TREE_OPTIONS[name]]);
  for (const [column, sign] of Object.entries(train.gbdt.monotone)) {
    params[`gbdt.monotone.${column}`] = sign;
  }
  return params;
}

/** The options of a trial by their names in the model file. */
export function trialParams(options: Readonly<Record<string, unknown>>): Record<string, string> {
  const named = OPTION_NAMES.flatMap((name) => {
    const value = options[TREE_OPTIONS[name]];
    return value === undefined ? [] : [[`gbdt.${name}`, String(value)]];
  });
  return Object.fromEntries(named);
}

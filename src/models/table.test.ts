import { describe, expect, test } from "bun:test";
import { SluiceError } from "../errors.ts";
import { parseModel, readModels, type TableFile } from "../models.ts";
import { featureColumns, knownLabels } from "./table-columns.ts";

const SMALL = `
name = "loans"
kind = "table"
[table]
[[table.columns]]
name = "age"
type = "number"
[[table.columns]]
name = "city"
type = "category"
[[table.columns]]
name = "id"
type = "drop"
[[table.columns]]
name = "paid"
type = "category"
[[table.columns]]
name = "share"
type = "number"
[table.target]
column = "paid"
kind = "binary"
positive = "yes"
[train]
trainers = ["gbdt"]
`;

const parse = (text: string): TableFile => parseModel("loans.toml", text) as TableFile;

function refusal(text: string): SluiceError {
  try {
    parse(text);
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error("it was accepted");
}

describe("a table that says little", () => {
  const model = parse(SMALL);

  test("gets the defaults", () => {
    expect(model).toMatchObject({
      ...{ name: "loans", kind: "table", description: "" },
      table: {
        ...{ header: true, delimiter: ",", quote: '"', trim: true, decimal: "." },
        ...{ missing: ["?", "NaN"], unseen: "missing", max_refused: 0.01, files: [] },
      },
      checks: { one_class: "fail", leak: "fail", drift: "warn", max_auc_alone: 0.995 },
      train: { seed: 7, validation_share: 0.15, gbdt: { rounds: 100, leaves: 31, bins: 255 } },
      search: { seconds: 0, trials: 200, method: "halving", space: {} },
      evaluate: { test: "part", test_share: 0.25, threshold: "accuracy", slices: [] },
      promote: { rule: "not_worse", metric: "log_loss", tolerance: 0.002, max_auc: 0.99 },
    });
    expect(model.schedule).toBeUndefined();
    expect(model.table.weight).toBeUndefined();
  });

  test("learns from what is neither dropped nor the target nor the weight", () => {
    const names = (text: string) => featureColumns(parse(text).table).map(({ name }) => name);
    expect(names(SMALL)).toEqual(["age", "city", "share"]);
    const weighted = SMALL.replace("[train]", '[table.weight]\ncolumn = "share"\n[train]');
    expect(names(weighted)).toEqual(["age", "city"]);
  });

  test("does not name the other label, which the rows then say", () => {
    expect(knownLabels(model.table.target)).toBeNull();
  });
});

describe("labels", () => {
  const labelled = (more: string) =>
    knownLabels(parse(SMALL.replace('positive = "yes"', `positive = "yes"\n${more}`)).table.target);

  test("are known when the negative one is named, or mapped to", () => {
    expect(labelled('negative = "no"')).toEqual(["no", "yes"]);
    expect(labelled('labels = { "no." = "no", "yes." = "yes" }')).toEqual(["no", "yes"]);
    expect(labelled('labels = { "yes." = "yes" }')).toBeNull();
  });

  test("of more classes are sorted", () => {
    const { target } = parse(
      SMALL.replace(
        'kind = "binary"\npositive = "yes"',
        'kind = "multiclass"\nclasses = ["b", "a"]',
      ),
    ).table;
    expect(knownLabels(target)).toEqual(["a", "b"]);
  });
});

test("slices, spaces and losses have one form", () => {
  const { evaluate, search, promote } = parse(
    `${SMALL}
    [evaluate]
    slices = ["city", { column = "age", bands = [20, 40] }]
    [search.space]
    rate = [0.01, 0.1]
    l2 = { log = [0.1, 10] }
    leaves = { values = [7, 15] }
    [[promote.slices]]
    column = "city"
    min_recall = 0.5`,
  );
  expect(evaluate.slices).toEqual([
    { column: "city", bands: null },
    { column: "age", bands: [20, 40] },
  ]);
  expect(search.space).toEqual({
    rate: { low: 0.01, high: 0.1, log: false, whole: false },
    l2: { low: 0.1, high: 10, log: true, whole: false },
    leaves: { values: [7, 15] },
  });
  expect(promote.slices).toEqual([{ column: "city", min_recall: 0.5 }]);
  const counted = SMALL.replace(
    'column = "paid"\nkind = "binary"\npositive = "yes"',
    'column = "share"\nkind = "count"',
  );
  expect(parse(counted).promote.metric).toBe("deviance");
});

describe("what does not fit is told with its place and value", () => {
  const broken: [string, string, ...string[]][] = [
    ["[table]", '[table]\ndelimiter = ";;"', "table.delimiter", '";;"'],
    ["[table]", '[table]\ndelimiter = "\'"\nquote = "\'"', "table.quote"],
    ["[table]", '[table]\ndecimal = ","', "table.decimal"],
    ["[table]", "[table]\nmax_refused = 2", "table.max_refused", "2"],
    ["[table]", '[table]\nunseen = "guess"', "table.unseen", '"guess"'],
    ["[table]", "[table]\nheaders = true", "headers"],
    ['name = "city"', 'name = "age"', "table.columns.1.name", '"age"', "once"],
    ['type = "category"', 'type = "text"', "table.columns.1", '"text"'],
    ['type = "number"', 'type = "number"\nmin = 3\nmax = 1', "table.columns.0.min", "3"],
    ['type = "number"', 'type = "number"\nmax = inf', "table.columns.0.max"],
    ['type = "number"', 'type = "number"\nlevels = ["a"]', "levels"],
    ['column = "paid"', 'column = "gone"', "table.target.column", '"gone"'],
    ['column = "paid"', 'column = "age"', "table.target.column", "category"],
    ['kind = "binary"', 'kind = "ordinal"', "table.target", '"ordinal"'],
    ['positive = "yes"', "", "table.target.positive", "absent"],
    ['positive = "yes"', 'positive = "yes"\nnegative = "yes"', "table.target.negative"],
    [
      'positive = "yes"',
      'positive = "yes"\nlabels = { a = "no", b = "maybe" }',
      "table.target.labels.b",
      '"maybe"',
    ],
    ["[train]", '[table.weight]\ncolumn = "city"\n[train]', "table.weight.column", '"city"'],
    ["[train]", '[table.weight]\ncolumn = "paid"\n[train]', "table.weight.column"],
    ["[train]", "[train]\nvalidation_share = 0.9", "train.validation_share", "0.9"],
    ["[train]", "[train.gbdt]\nbins = 300\n[train]", "train.gbdt.bins", "300"],
    ["[train]", "[train.gbdt]\nmonotone = { city = 1 }\n[train]", "train.gbdt.monotone.city"],
    ["[train]", "[train.gbdt]\nmonotone = { age = 2 }\n[train]", "train.gbdt.monotone.age", "2"],
    ["[train]", "[search.space]\nrate = [0.1, 0.01]\n[train]", "search.space.rate"],
    ["[train]", "[search.space]\nrate = { log = [0, 1] }\n[train]", "search.space.rate"],
    ["[train]", "[search.space]\nbins = [2, 999]\n[train]", "search.space.bins"],
    ["[train]", "[search.space]\ndepths = [1, 2]\n[train]", "depths"],
    ["[train]", '[evaluate]\nslices = ["age"]\n[train]', "evaluate.slices.0", "bands"],
    ["[train]", '[evaluate]\nslices = ["paid"]\n[train]', "evaluate.slices.0", '"paid"'],
    [
      "[train]",
      '[evaluate]\nslices = [{ column = "city", bands = [1] }]\n[train]',
      "evaluate.slices.0",
      "no bands",
    ],
    [
      "[train]",
      '[evaluate]\nslices = [{ column = "age", bands = [2, 1] }]\n[train]',
      "evaluate.slices.0",
    ],
    ["[train]", '[[promote.slices]]\ncolumn = "city"\n[train]', "promote.slices.0", '"city"'],
    ["[train]", '[promote]\nmetric = "deviance"\n[train]', "promote.metric", '"deviance"'],
    ["[train]", '[checks]\nleak = "maybe"\n[train]', "checks.leak", '"maybe"'],
    ["[train]", '[schedule]\ncron = "often"\n[train]', "schedule.cron", '"often"'],
    ["[train]", '[[table.files]]\nname = "../x"\n[train]', "table.files.0.name", '"../x"'],
    ["[train]", '[[table.files]]\nname = "x"\nurl = "ftp://x/y"\n[train]', "table.files.0.url"],
    ["[train]", '[[table.files]]\nname = "x"\nurl = "http://x/y"\n[train]', "sha256 together"],
    [
      "[train]",
      '[[table.files]]\nname = "x"\n[[table.files]]\nname = "x"\n[train]',
      "table.files.1.name",
      '"x"',
    ],
  ];
  const NUMBER = SMALL.replace(
    'column = "paid"\nkind = "binary"\npositive = "yes"',
    'column = "share"\nkind = "regression"',
  );
  const COUNT = NUMBER.replace('"regression"', '"count"');
  const SEVERAL = SMALL.replace('kind = "binary"\npositive = "yes"', 'kind = "multiclass"');
  const sliced = '[evaluate]\nslices = ["city"]\n[[promote.slices]]\ncolumn = "city"\n';
  const gbdt = 'trainers = ["gbdt"]';
  const together: [string, string, string, string, ...string[]][] = [
    [NUMBER, gbdt, 'trainers = ["gbdt", "logistic"]', "train.trainers.1", "gbdt or linear"],
    [COUNT, gbdt, 'trainers = ["logistic"]', "train.trainers.0", "for a count target"],
    [SMALL, gbdt, 'trainers = ["linear"]', "train.trainers.0", "gbdt or logistic", '"linear"'],
    [SEVERAL, gbdt, 'trainers = ["logistic"]', "train.trainers.0", "gbdt alone"],
    [SMALL, gbdt, 'trainers = ["gbdt", "gbdt"]', "train.trainers", "once"],
    [SMALL, "[train]", "[train.linear]\nl2 = 2\n[train]", "train.linear", "no such section"],
    [NUMBER, "[train]", "[train.logistic]\nl2 = 2\n[train]", "train.logistic", "a regression"],
    [SMALL, gbdt, `${gbdt}\nquantiles = [0.5]`, "train.quantiles", "none for a binary"],
    [COUNT, gbdt, `${gbdt}\nquantiles = [0.5]`, "train.quantiles", "none for a count"],
    [NUMBER, gbdt, `${gbdt}\nquantiles = [0.9, 0.1]`, "train.quantiles", "rising"],
    [NUMBER, gbdt, `${gbdt}\nquantiles = [0.5, 1]`, "train.quantiles.1", "1"],
    [NUMBER, "[train]", "[train.quantile]\nrounds = 5\n[train]", "train.quantile", "with it"],
    [NUMBER, "[train]", "[train.quantile]\nrounds = 0\n[train]", "train.quantile.rounds"],
    [NUMBER, gbdt, `${gbdt}\nvalidation_share = 0\nquantiles = [0.1, 0.9]`, "validation_share"],
    [SMALL, gbdt, `${gbdt}\nvalidation_share = 0\n[train.gbdt]\npatience = 3`, "patience"],
    [SMALL, "[train]", "[search]\nseconds = 3\n[train]", "search.space", "an option to search"],
    [
      SMALL.replace(gbdt, 'trainers = ["logistic"]'),
      ...(["[train]", "[search]\nseconds = 3\nspace = { l2 = [1, 2] }\n[train]"] as const),
      "search.seconds",
      "gbdt among",
    ],
    [SMALL, "[train]", `${sliced}[train]`, "promote.slices.0", "min_recall or max_gap"],
    [NUMBER, "[train]", `${sliced}max_gap = 0.1\n[train]`, "promote.slices.0", "binary target"],
    [NUMBER, 'name = "age"', 'name = "value"', "table.columns.0.name", '"value"'],
    [
      NUMBER.replace(gbdt, `${gbdt}\nquantiles = [0.5]`),
      ...(['name = "city"', 'name = "quantiles"', "table.columns.1.name", '"quantiles"'] as const),
    ],
    [SMALL, 'name = "city"', 'name = "probability"', "table.columns.1.name", '"probability"'],
  ];
  test.each(together)("what contradicts something else: %#", (whole, from, to, ...named) => {
    expect(whole).toContain(from);
    const error = refusal(whole.replace(from, to));
    expect(error.code).toBe("invalid_model_file");
    for (const text of ["loans.toml", ...named]) expect(error.message).toContain(text);
  });

  test("what is right of that is accepted", () => {
    const number = parse(
      NUMBER.replace(gbdt, 'trainers = ["linear", "gbdt"]\nquantiles = [0.1, 0.5, 0.9]') +
        "[train.linear]\nl2 = 3\n[train.quantile]\nrounds = 5\n",
    );
    expect(number.train).toMatchObject({
      ...{ trainers: ["linear", "gbdt"], quantiles: [0.1, 0.5, 0.9], linear: { l2: 3 } },
      quantile: { rounds: 5 },
    });
    expect(number.train.logistic).toBeUndefined();
    // The target is no input of the artifact, so it may be called as an output is.
    const named = NUMBER.replaceAll('"share"', '"value"');
    expect(parse(named).table.target.column).toBe("value");
    expect(parse(NUMBER.replace('"city"', '"quantiles"')).train.quantiles).toEqual([]);
  });

  test.each(broken)("%p -> %p", (from, to, ...named) => {
    expect(SMALL).toContain(from);
    const error = refusal(SMALL.replace(from, to));
    expect(error.code).toBe("invalid_model_file");
    for (const text of ["loans.toml", ...named]) expect(error.message).toContain(text);
  });

  test("a table of nothing but its target", () => {
    const text = SMALL.replaceAll('type = "number"', 'type = "drop"').replace(
      'type = "category"',
      'type = "drop"',
    );
    expect(refusal(text).message).toContain("expected a column to learn from");
  });
});

describe("income, which is built in", () => {
  const model = readModels(null).get("income") as TableFile;

  test("declares the fifteen columns of the file in its order, fnlwgt dropped", () => {
    expect(model.table.columns).toHaveLength(15);
    expect(featureColumns(model.table)).toHaveLength(13);
    expect(model.table.columns[2]).toEqual({ name: "fnlwgt", type: "drop" });
  });

  test("knows both labels, with and without a full stop", () => {
    expect(knownLabels(model.table.target)).toEqual(["<=50K", ">50K"]);
  });

  test("names its two files with address and sha256", () => {
    const parts = model.table.files.map(({ name, part, url, sha256 }) => [
      ...[name, part, url?.startsWith("https://archive.ics.uci.edu/"), sha256?.length],
    ]);
    expect(parts).toEqual([
      ["adult.data", "train", true, 64],
      ["adult.test", "test", true, 64],
    ]);
  });
});

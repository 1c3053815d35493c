import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "./errors.ts";
import { type MarketFile, marketModels, parseModel, readModels } from "./models.ts";

const SMALL = `
name = "doge"
kind = "market"
[collect]
market = "KRW-DOGE"
since = "2023-05-01"
[schedule]
cron = "0 0 */4 * * *"
[train]
trainers = ["logistic"]
[evaluate]
[promote]
`;

function refusal(work: () => unknown): SluiceError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  }
  throw new Error("it was accepted");
}

/** The file of a market model. */
const market = (text: string): MarketFile => parseModel("doge.toml", text) as MarketFile;

/** The error for the small model with one piece of its text made otherwise. */
const refusedFor = (from: string, to: string): SluiceError => {
  if (!SMALL.includes(from)) throw new Error(`the small model has no ${from}`);
  return refusal(() => parseModel("doge.toml", SMALL.replace(from, to)));
};

describe("built in", () => {
  test("three of markets, each named after its own, every four hours; and a table", () => {
    const models = readModels(null);
    expect([...models.keys()].sort()).toEqual(["ada", "btc", "eth", "income"]);
    for (const [name, model] of models) expect(model.name).toBe(name);
    expect(marketModels(models)).toHaveLength(3);
    for (const model of marketModels(models)) {
      const { name } = model;
      expect(model.collect.market).toBe(`KRW-${name.toUpperCase()}`);
      const all = [model.collect.market, ...model.collect.others].sort();
      expect(all).toEqual(["KRW-ADA", "KRW-BTC", "KRW-ETH"]);
      expect(model.collect.since).toBe(Date.parse("2022-01-01T00:00:00Z"));
      expect(model.schedule.cron).toBe("0 0 */4 * * *");
      expect(model.train.trainers.length).toBeGreaterThan(0);
    }
  });
});

describe("one file", () => {
  test("that says little gets the defaults", () => {
    const model = market(SMALL);
    expect(model).toMatchObject({
      name: "doge",
      description: "",
      collect: { market: "KRW-DOGE", others: [], since: Date.parse("2023-05-01T00:00:00Z") },
      train: { seed: 7, half_life_days: 365, logistic: { l2: 600 } },
      evaluate: { fold_candles: 252, min_train_candles: 1_000, candles: 3_780 },
      promote: { rule: "not_worse", tolerance: 0.002, max_auc: 0.99 },
    });
    expect(model.train.gbdt).toMatchObject({ rounds: 120, rate: 0.05, column_share: 1 });
    expect(model.train).toMatchObject({ others_weight: 0.3, base_rows: 2_000 });
    expect(model.train).toMatchObject({ ridge: { l2: 2_400 }, spread: { l2: 50 } });
  });

  test("in which a group is given in part keeps the rest of its defaults", () => {
    const text = SMALL.replace("[evaluate]", "[train.gbdt]\nrounds = 3\n[evaluate]");
    const { gbdt } = market(text).train;
    expect(gbdt).toMatchObject({ rounds: 3, leaves: 7 });
  });

  test("a date is a date in UTC, however it is written", () => {
    const wanted = Date.parse("2023-05-01T00:00:00Z");
    const zone = process.env["TZ"];
    try {
      for (const zoneNow of ["UTC", "America/New_York", "Asia/Seoul"]) {
        process.env["TZ"] = zoneNow;
        const texts = [
          ...['"2023-05-01"', "2023-05-01", '"2023-05-01T00:00:00Z"', "2023-05-01T00:00:00Z"],
          ...["2023-05-01T00:00:00", "2023-05-01 00:00:00", "2023-05-01T09:00:00+09:00"],
        ];
        for (const text of texts) {
          const model = market(SMALL.replace('"2023-05-01"', text));
          expect([zoneNow, text, model.collect.since]).toEqual([zoneNow, text, wanted]);
        }
      }
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  });

  // What a person in another zone would read otherwise is not a date.
  test.each(["2023-05-01T00:00:00", "5/1/2023", "May 2023", "1"])("since %p is refused", (text) => {
    const error = refusedFor("2023-05-01", text);
    expect(error.message).toContain("collect.since");
  });
});

describe("a broken file names file, path and value", () => {
  // What is changed, into what, and what the message must name.
  const broken: [string, string, ...string[]][] = [
    ['name = "doge"', 'name = "Doge"', "name", '"Doge"'],
    ['name = "doge"', 'name = "../doge"', "name", '"../doge"'],
    ['name = "doge"', 'name = ""', "name", '""'],
    ['name = "doge"', "", "name", "absent"],
    ['name = "doge"', "name = 7", "name", "7"],
    ['kind = "market"', 'kind = "stock"', "kind", '"stock"'],
    ['kind = "market"', 'kind = "table"', "table", "absent"],
    ['kind = "market"', 'kind = "market"\ncolour = "red"', "colour", '"colour"'],
    ['"KRW-DOGE"', '"DOGE"', "collect.market", '"DOGE"'],
    ['"KRW-DOGE"', '"krw-doge"', "collect.market", '"krw-doge"'],
    ["[collect]", '[collect]\nothers = ["KRW-BTC", "BTC"]', "collect.others.1", '"BTC"'],
    ["[collect]", '[collect]\nothers = "KRW-BTC"', "collect.others", '"KRW-BTC"'],
    ["2023-05-01", "yesterday", "collect.since"],
    ['"2023-05-01"', "20230501", "collect.since", "20230501"],
    ["0 0 */4 * * *", "every day", "schedule.cron", '"every day"'],
    ["0 0 */4 * * *", "", "schedule.cron", '""'],
    ["0 0 */4 * * *", "0 0 25 * * *", "schedule.cron", '"0 0 25 * * *"'],
    ["0 0 */4 * * *", "0 0 0 30 2 *", "schedule.cron", '"0 0 0 30 2 *"'],
    ["0 0 */4 * * *", "0 0 0 1 1 * 2020", "schedule.cron", '"0 0 0 1 1 * 2020"'],
    ['["logistic"]', "[]", "train.trainers"],
    ['["logistic"]', '["xgboost"]', "train.trainers.0", '"xgboost"'],
    ["[train]", "[train]\nseed = -1", "train.seed", "-1"],
    ["[train]", "[train]\nseed = 1.5", "train.seed", "1.5"],
    ["[train]", "[train]\nhalf_life_days = 0", "train.half_life_days", "0"],
    ["[train]", "[train]\nhalf_life_days = nan", "train.half_life_days"],
    ["[evaluate]", "[train.gbdt]\nrounds = 0\n[evaluate]", "train.gbdt.rounds", "0"],
    ["[evaluate]", "[train.gbdt]\nrate = inf\n[evaluate]", "train.gbdt.rate"],
    ["[evaluate]", "[train.spread]\nl3 = 7\n[evaluate]", "train.spread.l3", '"l3"'],
    ["[evaluate]", "[evaluate]\nfold_candles = 5", "evaluate.fold_candles", "5"],
    ["[promote]", '[promote]\nrule = "always"', "promote.rule", '"always"'],
    ["[promote]", "[promote]\nmax_auc = 1.01", "promote.max_auc", "1.01"],
    ["[promote]", "[promotion]", "promote", "absent"],
  ];
  test.each(broken)("%p -> %p", (from, to, ...named) => {
    const error = refusedFor(from, to);
    expect(error.code).toBe("invalid_model_file");
    expect(error.fix).not.toBe("");
    for (const text of ["doge.toml", ...named]) expect(error.message).toContain(text);
  });

  test("every fault at once", () => {
    const text = SMALL.replace("KRW-DOGE", "DOGE").replace("[train]", "[train]\nseed = -1");
    const { message } = refusal(() => parseModel("doge.toml", text));
    expect(message).toContain("collect.market");
    expect(message).toContain("train.seed");
  });

  test("what is no TOML at all is told with its place", () => {
    const { code, message } = refusal(() => parseModel("doge.toml", "name = \nkind ="));
    expect(code).toBe("invalid_model_file");
    expect(message).toContain("doge.toml");
    expect(message).toMatch(/^1: +name = /m);
  });

  test("a market that is looked at twice would give features of one name", () => {
    for (const others of ['["KRW-DOGE"]', '["KRW-BTC", "KRW-BTC"]']) {
      const error = refusedFor("[collect]", `[collect]\nothers = ${others}`);
      expect(error.message).toContain("collect.others");
    }
  });
});

describe("a folder of one's own", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sluice-models-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  let count = 0;
  async function folderOf(files: Record<string, string>): Promise<string> {
    const folder = join(root, `${++count}`);
    await mkdir(folder);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return folder;
  }
  const named = (name: string) => SMALL.replace('"doge"', `"${name}"`);

  test("replaces the built-in models; files of another kind are left alone", async () => {
    const folder = await folderOf({
      "b.toml": named("b"),
      "a.toml": named("a"),
      "README.md": "# no model",
    });
    expect([...readModels(folder).keys()]).toEqual(["a", "b"]);
  });

  test("two files of one name are refused, naming file and name", async () => {
    const folder = await folderOf({ "one.toml": named("same"), "two.toml": named("same") });
    const { code, message } = refusal(() => readModels(folder));
    expect(code).toBe("invalid_model_file");
    expect(message).toContain("two.toml");
    expect(message).toContain('"same"');
  });

  test("one bad file among good ones stops the start", async () => {
    const folder = await folderOf({ "a.toml": named("a"), "b.toml": "name = 1" });
    expect(refusal(() => readModels(folder)).message).toContain("b.toml");
  });

  test("a folder without a model, and one that is not there", async () => {
    const empty = await folderOf({});
    expect(refusal(() => readModels(empty)).message).toContain(empty);
    const absent = join(root, "absent");
    const { code, message } = refusal(() => readModels(absent));
    expect(code).toBe("invalid_model_file");
    expect(message).toContain(absent);
  });

  test("a file that cannot be read is named too", async () => {
    const folder = await folderOf({ "a.toml": named("a") });
    await mkdir(join(folder, "b.toml"));
    const { code, message } = refusal(() => readModels(folder));
    expect(code).toBe("invalid_model_file");
    expect(message).toContain("b.toml");
  });
});

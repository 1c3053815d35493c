/*
 * Stories of tables: rows of a CSV file are imported, learned from, promoted and asked about, all
 * by the program itself; what is wrong is refused by name.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { predictAnswer, problemAnswer, runsAnswer } from "../src/http/answers.ts";
import { makeRandom } from "../src/learn/random.ts";
import { WIDE, wideCsv } from "../src/table/fixture.ts";
import { LONG_MS, until } from "../src/testing.ts";
import {
  askModel,
  askPipelineRun,
  askReady,
  askRun,
  askRuns,
  askVersions,
  ended,
  refusal,
} from "./ask.ts";
import { askClient, pythons } from "./clients.ts";
import type { Served } from "./served.ts";
import { stores } from "./stores.ts";
import { openStory, type Story } from "./story.ts";
import { expectWhole, filesOf, historyOf } from "./tracked.ts";

if (pythons.length === 0) {
  console.log("skipped: 3 stories of trained models, no Python of the MLflow client");
}

const TREES = "[train.gbdt]\nrounds = 40\nleaves = 8\n";
/** Two classes, parts by file, spaces, a dot after labels, a column that is dropped, slices. */
const PAY = `name = "pay"
kind = "table"
[table]
header = false
comment = "|"
[[table.files]]
name = "pay.train"
[[table.files]]
name = "pay.test"
part = "test"
[[table.columns]]
name = "age"
type = "number"
integer = true
min = 0
[[table.columns]]
name = "work"
type = "category"
[[table.columns]]
name = "id"
type = "drop"
[[table.columns]]
name = "hours"
type = "number"
[[table.columns]]
name = "pay"
type = "category"
[table.target]
column = "pay"
kind = "binary"
positive = ">50K"
labels = { "<=50K." = "<=50K", ">50K." = ">50K" }
[train]
trainers = ["gbdt", "logistic"]
${TREES}[evaluate]
slices = ["work"]
[promote]
tolerance = 0.01
`;
/** A number, rows to judge by drawn, a search. */
const RENT = `name = "rent"
kind = "table"
[[table.columns]]
name = "rooms"
type = "number"
[[table.columns]]
name = "city"
type = "category"
[[table.columns]]
name = "rent"
type = "number"
[table.target]
column = "rent"
kind = "regression"
[train]
trainers = ["gbdt", "linear"]
quantiles = [0.1, 0.5, 0.9]
${TREES}[search]
seconds = 20
trials = 3
method = "random"
[search.space]
leaves = [4, 8]
[evaluate]
test = "split"
`;

const JOBS = ["clerk", "farmer", "pilot", "nurse", "?"];
/** Rows of people; with `luck` what they earn has nothing to do with the rest. */
function people(rows: number, seed: number, dot = "", luck = false): string {
  const random = makeRandom(seed);
  const lines = Array.from({ length: rows }, (_, id) => {
    const [age, job, hours] = [18 + random.integer(50), random.integer(5), random.integer(60)];
    const margin = luck ? 0 : (age - 40) / 10 + (job === 2 ? 2 : -0.5) + (hours - 30) / 20;
    const pay = random.next() < 1 / (1 + Math.exp(-margin)) ? ">50K" : "<=50K";
    return `${age}, ${JOBS[job]}, ${id}, ${hours}, ${pay}${dot}`;
  });
  return `|a line to be skipped\n${lines.join("\n")}\n`;
}

function flats(rows: number): string {
  const random = makeRandom(9);
  const lines = Array.from({ length: rows }, () => {
    const [rooms, city] = [1 + random.integer(5), "abc"[random.integer(3)]!];
    return `${rooms},${city},${300 * rooms + (city === "a" ? 500 : 0) + random.integer(50)}`;
  });
  return `rooms,city,rent\n${lines.join("\n")}\n`;
}

/** What the client says of a training: its own version, and probabilities by address. */
interface Said {
  readonly version: string;
  readonly answers: Readonly<Record<string, readonly number[]>>;
}

const PERSON = { age: 60, work: "pilot", hours: 59 };

describe.each(stores())("tables on %s", (store) => {
  let story: Story;
  let app: Served;
  const file = (name: string, text: string): string => {
    const path = join(story.folder, name);
    writeFileSync(path, text);
    return path;
  };
  const train = async (model: string) => {
    const { run } = await app.post<{ run: string }>(`/admin/models/${model}/retrain`);
    return ended(app, model, run);
  };
  const predict = async (model: string, instances: readonly unknown[], query = "") =>
    v.parse(predictAnswer, await app.post(`/v1/models/${model}/predict${query}`, { instances }));

  beforeAll(async () => {
    story = await openStory(store, { pay: PAY, rent: RENT, wide: WIDE });
    app = await story.serve();
  });
  afterAll(() => story.close());

  test("without rows the server is ready, says so, and a training tells what to do", async () => {
    await app.ready();
    const { checks } = await askReady(app);
    const check = checks.find(({ name }) => name === "model pay");
    expect(check).toMatchObject({ ok: false, blocking: false });
    expect(check!.detail).toContain("import rows");
    for (const path of ["/admin/models/pay/retrain", "/admin/pipelines/pay/runs"]) {
      expect(await refusal(app, path)).toMatchObject({ status: 409, code: "not_imported" });
    }
    const command = await story.run("train", "pay");
    expect(command.code).toBe(1);
    expect(command.errors).toContain("sluice import pay");
    expect(await refusal(app, "/v1/models/pay/predict", { instances: [PERSON] })).toMatchObject({
      status: 503,
      code: "not_ready",
    });
  });

  test("imported rows are checked, learned from, judged and promoted", async () => {
    const paths = [file("pay.train", people(3_000, 1)), file("pay.test", people(1_500, 2, "."))];
    expect((await story.run("import", "pay", ...paths)).code).toBe(0);
    // Nothing trains by itself: no schedule stands in the file.
    expect((await askModel(app, "pay")).champion).toBeNull();
    const trained = await story.run("train", "pay");
    expect([trained.code, trained.out]).toEqual([
      0,
      expect.stringContaining("version 1 is champion"),
    ]);
    // On Postgres it was perhaps the command that trained it; the server hears of that in a second.
    const isServed = async () => (await app.fetch("/v2/models/pay/ready")).status === 200;
    await until(isServed, LONG_MS, "the champion of pay is served");

    const model = await askModel(app, "pay");
    expect(model).toMatchObject({ kind: "table", champion: { version: 1 }, schedule: null });
    expect(model.metrics["auc"]).toBeGreaterThan(0.8);
    expect(model.metrics["log_loss"]!).toBeLessThan(model.metrics["base_rate_log_loss"]! - 0.1);
    const { inputs } = model.signature as { inputs: { name: string; dtype: string }[] };
    expect(inputs.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
      "age float32",
      "work string",
      "hours float32",
    ]);
    const [version] = (await askVersions(app, "pay")).items;
    const run = await askRun(app, version!.run!);
    const paths1 = run.artifacts.map(({ path }) => path);
    expect(paths1.sort()).toEqual((await filesOf(app, run.id)).sort());
    const report = await app.get<{ about: object; slices: unknown[] }>(
      `/v1/runs/${run.id}/artifacts/report.json`,
    );
    expect(report.about).toMatchObject({ model: "pay", run: run.id });
    expect(report.slices.length).toBeGreaterThan(3);
  });

  test("the training is a whole run for clients of MLflow", async () => {
    const [version] = (await askVersions(app, "pay")).items;
    const id = version!.run!;
    const run = await expectWhole(app, id, "pay", [
      ...["calibration", "confusion", "importance_by_shuffling", "learning_curve"],
      ...["precision_recall", "probabilities", "roc"],
    ]);
    expect(run.inputs.map(({ context }) => context)).toEqual(["training", "validation", "test"]);
    const rows = run.inputs.map((input) => input.rows);
    expect([rows[0]! + rows[1]!, rows[2]]).toEqual([3_000, 1_500]);
    expect(run.inputs[0]!.columns).toEqual([
      { name: "age", type: "float", required: false },
      { name: "work", type: "string", required: false },
      { name: "hours", type: "float", required: false },
      { name: "pay", type: "string", required: true },
    ] as object[] as { name: string }[]);
    expect(run.metrics["logistic_validation_loss"]).toBeGreaterThan(0);
    // On the rows that were fitted the loss only falls.
    const fitted = (await historyOf(app, id, "train_loss")).map(({ value }) => value);
    expect(fitted.length).toBe(41);
    expect(fitted).toEqual(fitted.toSorted((a, b) => b - a));
    expect(Object.keys(run.params)).toContain("gbdt.rounds");
  });

  // Most of it is the client's own time: an older one is asked on one store.
  test.if(pythons.length > 0).each(pythons.slice(0, store === "embedded" ? 2 : 1))(
    "%s lists the training as a logged model, and loads it by each of its addresses",
    async (python) => {
      const rows = [PERSON, { ...PERSON, age: 18, work: "farmer" }, { ...PERSON, hours: 3 }];
      const columns = Object.fromEntries(
        (["age", "work", "hours"] as const).map((name) => [name, rows.map((row) => row[name])]),
      );
      const given = ["pay", JSON.stringify(columns)] as const;
      const said = await askClient<Said>(python, app, "mlflow_trained.py", ...given);
      const addresses = said.version.startsWith("2.") ? [] : ["logged", "name"];
      expect(Object.keys(said.answers)).toEqual(["champion", "run", ...addresses]);
      const { predictions } = await predict("pay", rows);
      const wanted = predictions.map((one) => (one as { probability: number }).probability);
      for (const answers of Object.values(said.answers)) {
        expect(answers).toHaveLength(rows.length);
        for (const [i, answer] of answers.entries()) expect(answer).toBeCloseTo(wanted[i]!, 5);
      }
    },
    LONG_MS,
  );

  test("the inference protocol answers the same, for the champion and by number", async () => {
    const { age, work, hours } = PERSON;
    const inputs = [
      { name: "age", datatype: "FP32", shape: [2, 1], data: [age, 18] },
      { name: "work", datatype: "BYTES", shape: [2, 1], data: [work, ""] },
      { name: "hours", datatype: "FP32", shape: [2, 1], data: [hours, 0] },
    ];
    const { predictions } = await predict("pay", [PERSON, { age: 18, work: null, hours: 0 }]);
    const wanted = predictions.map((one) => (one as { probability: number }).probability);
    expect(await app.get("/v2/models/pay")).toMatchObject({ name: "pay", versions: ["1"] });
    for (const path of ["/v2/models/pay", "/v2/models/pay/versions/1"]) {
      expect(await app.get(`${path}/ready`)).toMatchObject({ ready: true });
      const answer = await app.post<{ outputs: { name: string; data: number[] }[] }>(
        `${path}/infer`,
        { inputs, outputs: [{ name: "probability" }] },
      );
      expect(answer.outputs.map(({ data }) => data)).toEqual([wanted]);
    }
    const away = await app.fetch("/v2/models/pay/versions/2/infer", { method: "POST", body: "{}" });
    expect([away.status, Object.keys((await away.json()) as object)]).toEqual([400, ["error"]]);
  });

  test("rows are answered, explained, and told from wrong ones", async () => {
    const [rich, poor] = (
      await predict("pay", [PERSON, { ...PERSON, age: 18, work: "farmer", hours: 0 }])
    ).predictions as { label: string; probability: number }[];
    expect([rich!.label, poor!.label]).toEqual([">50K", "<=50K"]);
    expect(rich!.probability).toBeGreaterThan(0.8);
    expect(poor!.probability).toBeLessThan(0.2);

    // D12: whatever means missing is the same.
    const { age, hours } = PERSON;
    const forms = ["?", null, "", "NaN"].map((work) => ({ ...PERSON, work }));
    const same = (await predict("pay", [...forms, { age, hours }])).predictions;
    const values = same.map((one) => ("probability" in one ? one.probability : 0));
    expect(new Set(values).size).toBe(1);
    // D13: and a level never seen is missing too, but told.
    const [stranger] = (await predict("pay", [{ ...PERSON, work: "wizard" }])).predictions;
    expect(stranger).toMatchObject({
      probability: values[0],
      warnings: [expect.stringContaining("wizard")],
    });

    const [told] = (await predict("pay", [PERSON], "?explain=true")).predictions;
    if (told === undefined || !("contributions" in told)) throw new Error("no contributions");
    const sum = Object.values(told.contributions!).reduce((a, b) => a + b, told.base!);
    expect(1 / (1 + Math.exp(-sum))).toBeCloseTo(rich!.probability, 5);
    expect(told.contributions!["work"]).toBeGreaterThan(0);

    const csv = await app.fetch("/v1/models/pay/predict", {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: "work,hours,age\npilot,59,60\n",
    });
    const [fromCsv] = v.parse(predictAnswer, await csv.json()).predictions;
    expect(fromCsv).toMatchObject({ label: ">50K", probability: rich!.probability });
    const command = await story.run("predict", "pay", file("one.json", JSON.stringify(PERSON)));
    expect([command.code, command.out]).toEqual([0, expect.stringContaining(">50K")]);

    const wrong = await refusal(app, "/v1/models/pay/predict", {
      instances: [
        { ...PERSON, age: "60" },
        { ...PERSON, salary: 1 },
        { ...PERSON, age: 60.5, work: true },
      ],
    });
    expect([wrong.status, wrong.code]).toEqual([422, "invalid_instances"]);
    expect(wrong.faults!.map(({ path }) => path)).toEqual([
      "instances[0].age",
      "instances[1].salary",
      "instances[2].age",
      "instances[2].work",
    ]);
  });

  test("the same rows give the same bytes, which pass; worse ones are not promoted", async () => {
    const { id } = await app.post<{ id: string }>("/admin/pipelines/pay/runs");
    expect((await ended(app, "pay", id)).status).toBe("succeeded");
    const [second, first] = (await askVersions(app, "pay")).items;
    expect([second!.version, second!.digest]).toEqual([2, first!.digest]);
    expect((await askModel(app, "pay")).champion?.version).toBe(2);

    const path = file("pay.train", people(3_000, 3, "", true));
    expect((await story.run("import", "pay", path)).code).toBe(0);
    const run = await train("pay");
    expect(run.status).toBe("succeeded");
    const { steps } = await askPipelineRun(app, "pay", run.id);
    expect(steps.map(({ step }) => step)).toEqual(["check", "train", "evaluate", "promote"]);
    expect(steps[3]!.result).toMatchObject({ promoted: false, failed: ["against_champion"] });
    expect(await askModel(app, "pay")).toMatchObject({
      champion: { version: 2 },
      challenger: { version: 3 },
    });
    const promote = (body: object) => refusal(app, "/admin/models/pay/promote", body);
    expect(await promote({ version: 3 })).toMatchObject({ status: 422, code: "gate_failed" });
  });

  test("one class alone is nothing to learn from", async () => {
    const lines = Array.from({ length: 200 }, (_, i) => `${i % 60}, clerk, ${i}, 3, >50K`);
    expect((await story.run("import", "pay", file("pay.train", lines.join("\n")))).code).toBe(0);
    const run = await train("pay");
    expect([run.status, run.reason]).toEqual(["skipped", "single_class"]);
    expect((await askModel(app, "pay")).champion?.version).toBe(2);
  });

  test("a number is foretold, and every trial of a search is a run below the training", async () => {
    const path = file("flats.csv", flats(1_000));
    expect((await story.run("import", "rent", path)).code).toBe(0);
    const run = await train("rent");
    expect([run.status, run.reason, run.detail]).toEqual(["succeeded", null, null]);
    const [answer] = (await predict("rent", [{ rooms: 3, city: "a" }])).predictions;
    if (answer === undefined || !("value" in answer)) throw new Error("no value");
    expect(Math.abs(answer.value - 1_425)).toBeLessThan(60);
    const { p10 = 0, p50 = 0, p90 = 0 } = answer.quantiles ?? {};
    expect([p10 <= p50, p50 <= p90, p90 - p10 < 800]).toEqual([true, true, true]);
    const all = (await askRuns(app)).items.filter(({ model }) => model === "rent");
    expect(all).toHaveLength(1);
    const trials = v.parse(runsAnswer, await app.get(`/v1/runs?parent=${all[0]!.id}`)).items;
    expect(trials).toHaveLength(3);
    for (const { tags, metrics, params } of trials) {
      expect(tags["mlflow.parentRunId"]).toBe(all[0]!.id);
      expect(metrics["validation_loss"]).toBeGreaterThan(0);
      expect(Number(params["gbdt.leaves"])).toBeGreaterThan(3);
    }
  });

  test("a table of another shape goes the whole way, by its model file alone", async () => {
    const imported = await story.run("import", "wide", file("wide.csv", wideCsv(2_000)));
    expect(imported.code).toBe(0);
    const run = await train("wide");
    expect([run.status, run.reason, run.detail]).toEqual(["succeeded", null, null]);
    const { steps } = await askPipelineRun(app, "wide", run.id);
    expect(steps.map(({ step, status }) => `${step} ${status}`)).toEqual(
      ["check", "train", "evaluate", "promote"].map((step) => `${step} succeeded`),
    );
    expect(steps[0]!.result).toMatchObject({ rows: { train: 2_000, test: 0 } });
    const { metrics, signature, champion } = await askModel(app, "wide");
    expect(champion?.version).toBe(1);
    expect(metrics["log_loss"]!).toBeLessThan(0.85 * metrics["base_rate_log_loss"]!);
    expect((signature as { inputs: unknown[] }).inputs).toHaveLength(40);

    // Rows that it has not seen, in the form of the files: semicolons, decimal commas, holes.
    const text = wideCsv(300, 8);
    const answer = await app.fetch("/v1/models/wide/predict", {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: text.replaceAll(/;[^;\r]*\r\n/g, "\r\n"),
    });
    const { predictions } = v.parse(predictAnswer, await answer.json());
    const labels = predictions.map((one) => ("label" in one ? one.label : ""));
    const kinds = [...text.matchAll(/;([^;\r]*)\r\n/g)].slice(1).map(([, kind]) => kind);
    const right = labels.filter((label, i) => label === (kinds[i] === "R" ? "red" : kinds[i]));
    expect(labels).toHaveLength(300);
    // The most frequent class alone would be right about half the time.
    expect(right.length).toBeGreaterThan(190);
  });

  test("after a restart the champion answers as before", async () => {
    const before = await predict("pay", [PERSON]);
    expect(await app.stop()).toBe(0);
    app = await story.serve();
    await app.ready();
    const after = await predict("pay", [PERSON]);
    expect(after.model).toEqual(before.model);
    expect(after.predictions[0]).toMatchObject({ probability: expect.any(Number) });
    expect({ ...after.predictions[0], id: "" }).toEqual({ ...before.predictions[0]!, id: "" });
    const unknown = await app.fetch("/v1/models/nobody/predict", { method: "POST" });
    expect(v.parse(problemAnswer, await unknown.json()).code).toBe("unknown_model");
  });
});

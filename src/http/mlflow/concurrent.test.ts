/*
 * What other tracking servers get wrong when several write at once, or send again what was lost.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testDatabases } from "../../store/testing.ts";
import { openTracked, type Tracked } from "./testing.ts";

describe.each(testDatabases())("at once over the MLflow protocol on $name", (on) => {
  let tracked: Tracked;
  let post: Tracked["post"];
  beforeAll(async () => {
    tracked = await openTracked(on);
    ({ post } = tracked);
  });
  afterAll(() => tracked.close());

  const newRun = async (): Promise<string> => (await post("runs/create")).run.info.run_id;
  const runOf = async (run_id: string) => (await tracked.get("runs/get", { run_id })).run;

  test("many that log the same keys of one run in any order never lock each other out", async () => {
    const run_id = await newRun();
    const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
    const writer = async (at: number) => {
      for (let turn = 0; turn < 4; turn++) {
        const order = (at + turn) % 2 === 0 ? keys : keys.toReversed();
        const step = at * 4 + turn;
        await post("runs/log-batch", {
          run_id,
          metrics: order.map((key) => ({ key, value: step, timestamp: step, step })),
          params: order.map((key) => ({ key, value: "same" })),
          tags: order.slice(0, 40).map((key) => ({ key, value: `${step}` })),
        });
        await post("runs/log-metric", { run_id, key: keys[at], value: -1, timestamp: 0, step: -1 });
        await post("runs/update", { run_id, run_name: `name ${step}` });
        await post("runs/set-tag", { run_id, key: "mlflow.runName", value: `name ${step}` });
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, at) => writer(at)));
    const { data } = await runOf(run_id);
    expect(data.metrics).toHaveLength(60);
    for (const metric of data.metrics) expect(metric).toMatchObject({ value: 31, step: 31 });
    expect(data.params).toHaveLength(60);
    const { metrics } = await tracked.get("metrics/get-history", { run_id, metric_key: "key 59" });
    expect(metrics).toHaveLength(32);
  }, 60_000);

  test("of many that log a param with different values one wins, whole", async () => {
    const run_id = await newRun();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        tracked.ask("POST", "/api/2.0/mlflow/runs/log-batch", {
          body: {
            run_id,
            params: ["a", "b"].map((key) => ({ key, value: `${i}` })),
            metrics: [{ key: `m${i}`, value: 1, timestamp: 1 }],
          },
        }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(400)]);
    const winner = answers.findIndex(({ status }) => status === 200);
    const { data } = await runOf(run_id);
    expect(data.params.map(({ value }: { value: string }) => value)).toEqual(
      Array(2).fill(`${winner}`),
    );
    expect(data.metrics.map(({ key }: { key: string }) => key)).toEqual([`m${winner}`]);
  });

  test("what was sent again since its answer was lost is there once", async () => {
    const run_id = await newRun();
    const batch = {
      run_id,
      metrics: [{ key: "m", value: 0.5, timestamp: 7, step: 1 }],
      params: [{ key: "p", value: "1" }],
      tags: [{ key: "t", value: "1" }],
    };
    const datasets = [
      { dataset: { name: "d", digest: "1", source_type: "local", source: "{}" }, tags: [] },
    ];
    await Promise.all(Array.from({ length: 6 }, () => post("runs/log-batch", batch)));
    await Promise.all(
      Array.from({ length: 6 }, () => post("runs/log-inputs", { run_id, datasets })),
    );
    const { data, inputs } = await runOf(run_id);
    expect(data.metrics).toHaveLength(1);
    expect(inputs.dataset_inputs).toHaveLength(1);
    const { metrics } = await tracked.get("metrics/get-history", { run_id, metric_key: "m" });
    expect(metrics).toHaveLength(1);
  });

  test("of many that make an experiment of one name one does, and the others are told", async () => {
    const asked = Array.from({ length: 8 }, () =>
      tracked.ask("POST", "/api/2.0/mlflow/experiments/create", { body: { name: "raced" } }),
    );
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, ...Array(7).fill(400)]);
  });
});

describe("mistakes of users", () => {
  let tracked: Tracked;
  beforeAll(async () => {
    tracked = await openTracked(testDatabases().at(-1)!);
  });
  afterAll(() => tracked.close());

  test("are never a 5xx, which clients would send again for minutes, and tell no SQL", async () => {
    const experiment_id = (await tracked.post("experiments/create", { name: "away" }))
      .experiment_id;
    await tracked.post("experiments/delete", { experiment_id });
    const run_id = (await tracked.post("runs/create")).run.info.run_id;
    const odd = ["", "x", "-1", "9".repeat(30), "\0", "é", "'; drop table runs; --", "\ud800"];
    const bodies = (name: string): object[] => odd.map((value) => ({ [name]: value }));
    const metric = (more: object) => ({
      run_id,
      metrics: [{ key: "k", value: 1, timestamp: 1, ...more }],
    });
    const asked: [string, object][] = [
      ["experiments/update", { experiment_id, new_name: "x" }],
      ["runs/create", { experiment_id }],
      ...bodies("experiment_id").map((body): [string, object] => ["runs/create", body]),
      ...bodies("experiment_id").map((body): [string, object] => ["experiments/delete", body]),
      ...bodies("start_time").map((body): [string, object] => ["runs/create", body]),
      ...bodies("run_name").map((body): [string, object] => ["runs/create", body]),
      ...bodies("name").map((body): [string, object] => ["experiments/create", body]),
      ...bodies("run_id").map((body): [string, object] => ["runs/set-tag", { ...body, key: "k" }]),
      ...bodies("key").map((body): [string, object] => ["runs/set-tag", { run_id, ...body }]),
      ...bodies("value").map((body): [string, object] => ["runs/log-batch", metric(body)]),
      ...bodies("model_id").map((body): [string, object] => ["runs/log-batch", metric(body)]),
      ...bodies("end_time").map((body): [string, object] => ["runs/update", { run_id, ...body }]),
      ...bodies("model_json").map((body): [string, object] => [
        "runs/log-model",
        { run_id, ...body },
      ]),
      [
        "runs/log-model",
        {
          run_id,
          model_json: '{"artifact_path":"\\u0000","flavors":{},"utc_time_created":"","run_id":""}',
        },
      ],
      ["experiments/search-datasets", { experiment_ids: odd }],
      ["runs/outputs", { run_id, models: odd.map((model_id) => ({ model_id, step: 0 })) }],
    ];
    for (const [path, body] of asked) {
      const { status, json } = await tracked.ask("POST", `/api/2.0/mlflow/${path}`, { body });
      expect([path, body, [200, 400, 404].includes(status)]).toEqual([path, body, true]);
      if (status !== 200) expect(json.message).not.toMatch(/insert into|select |failed query/i);
    }
  }, 30_000);
});

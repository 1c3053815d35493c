import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testDatabases } from "../../store/testing.ts";
import { exactJson } from "../../store/whole.ts";
import { openTracked, type Tracked } from "./testing.ts";

const MAX = 9_223_372_036_854_775_807n;
const MIN = -9_223_372_036_854_775_808n;
/** Of `time.time_ns()`: its neighbours are the same double. */
const NS = 1_795_735_428_379_123_457n;
const BAD = "INVALID_PARAMETER_VALUE";

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
type Told = any;

describe.each(testDatabases())("whole numbers of 64 bits on $name", (on) => {
  let tracked: Tracked;
  beforeAll(async () => {
    tracked = await openTracked(on);
  });
  afterAll(() => tracked.close());

  /** JSON with bigints as they are. */
  const written = (body: unknown): string =>
    JSON.stringify(body, (_, value) => (typeof value === "bigint" ? `${value}n` : value)).replace(
      /"(-?\d+)n"/g,
      "$1",
    );
  const exactly = async (method: string, path: string, body?: unknown): Promise<Told> => {
    const init = body === undefined ? {} : { raw: ["application/json", written(body)] as const };
    const { status, text } = await tracked.ask(method, path, init);
    if (status !== 200) throw new Error(`${status}: ${text}`);
    return exactJson(text);
  };
  const post = (path: string, body: unknown) => exactly("POST", `/api/2.0/mlflow/${path}`, body);
  const get = (path: string, query: string) => exactly("GET", `/api/2.0/mlflow/${path}?${query}`);
  const newRun = async (more: object = {}): Promise<string> =>
    (await post("runs/create", { experiment_id: "0", ...more })).run.info.run_id;

  test("a point keeps its step and time, one by one and in a batch", async () => {
    const run_id = await newRun();
    const point = { value: 0.5, timestamp: NS, step: NS };
    await post("runs/log-metric", { run_id, key: "ns", ...point });
    // What differs by one is another point; the greatest step is the latest.
    const steps = [MIN, NS - 1n, NS, NS + 1n, MAX, 3];
    const metrics = steps.map((step, i) => ({ key: "m", value: i, timestamp: MAX, step }));
    await post("runs/log-batch", { run_id, metrics });
    await post("runs/log-batch", {
      run_id,
      metrics: metrics.map((one) => ({ ...one, step: `${one.step}` })),
    });
    const { run } = await get("runs/get", `run_id=${run_id}`);
    expect(run.data.metrics).toEqual([
      { key: "m", value: 4, timestamp: MAX, step: MAX },
      { key: "ns", ...point },
    ]);
    const { metrics: history } = await get("metrics/get-history", `run_id=${run_id}&metric_key=m`);
    const sorted = [MIN, 3, NS - 1n, NS, NS + 1n, MAX];
    expect(history.map(({ step }: Told) => step)).toEqual(sorted);
    expect(history[0].timestamp).toBe(MAX);
    const paged: unknown[] = [];
    let token = "";
    do {
      const query = `run_id=${run_id}&metric_key=m&max_results=1`;
      const page = await get("metrics/get-history", `${query}&page_token=${token}`);
      paged.push(...page.metrics.map(({ step }: Told) => step));
      token = page.next_page_token ?? "";
    } while (token !== "");
    expect(paged).toEqual(sorted);
    const found = await post("runs/search", {
      experiment_ids: ["0"],
      filter: `attributes.run_id = '${run_id}'`,
    });
    expect(found.runs).toEqual([run]);
  });

  test("histories of several runs, whole and between steps", async () => {
    const runs = [await newRun(), await newRun()];
    const EARLY = 5n - NS;
    const steps = [
      [EARLY, 0n, 1n, 2n, 3n],
      [1n, 2n, 3n, 4n],
    ] as const;
    for (const [i, run_id] of runs.entries()) {
      const point = { key: "m", value: i, timestamp: 1 };
      const metrics = steps[i]!.map((step) => ({ ...point, step: NS + step }));
      await post("runs/log-batch", { run_id, metrics });
    }
    const ids = (name: string) => runs.map((id) => `${name}=${id}`).join("&");
    const stepsOf = ({ metrics }: Told) =>
      runs.map((run) =>
        metrics.flatMap(({ run_id, step }: Told) => (run_id === run ? [BigInt(step) - NS] : [])),
      );
    const path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk";
    const bulk = await exactly("GET", `${path}?${ids("run_id")}&metric_key=m`);
    expect(stepsOf(bulk)).toEqual([...steps]);
    const between = (query: string) =>
      get("metrics/get-history-bulk-interval", `${ids("run_ids")}&metric_key=m${query}`);
    const part = await between(`&start_step=${NS + 2n}&end_step=${NS + 3n}`);
    expect(stepsOf(part)).toEqual(runs.map(() => [2n, 3n]));
    // Every other one of all steps, and the ends of each run.
    expect(stepsOf(await between("&max_results=1"))).toEqual([
      [EARLY, 1n, 3n],
      [1n, 3n, 4n],
    ]);
    await expect(between(`&start_step=${NS + 1n}&end_step=${NS}`)).rejects.toThrow(
      `Found start_step=${NS + 1n} and end_step=${NS}.`,
    );
  });

  test("runs begin and end at any; filters, orders and pages tell neighbours apart", async () => {
    const { experiment_id } = await post("experiments/create", { name: "nanoseconds" });
    const starts = [NS - 1n, NS, NS + 1n, MAX, MIN, 5];
    for (const start_time of starts) {
      const { run } = await post("runs/create", {
        experiment_id,
        start_time,
        run_name: `${start_time}`,
      });
      expect(run.info.start_time).toBe(start_time);
      const { run_id } = run.info;
      const { run_info } = await post("runs/update", { run_id, status: "FINISHED", end_time: MAX });
      expect([run_info.start_time, run_info.end_time]).toEqual([start_time, MAX]);
    }
    const search = async (more: object) => {
      const { runs = [], ...rest } = await post("runs/search", {
        experiment_ids: [experiment_id],
        ...more,
      });
      return { times: runs.map(({ info }: Told) => info.start_time), token: rest.next_page_token };
    };
    const sorted = [MAX, NS + 1n, NS, NS - 1n, 5, MIN];
    expect((await search({})).times).toEqual(sorted);
    const after = { filter: `start_time > ${NS}`, order_by: ["start_time ASC"] };
    expect((await search(after)).times).toEqual([NS + 1n, MAX]);
    expect((await search({ filter: `start_time = ${NS} and end_time = ${MAX}` })).times).toEqual([
      NS,
    ]);
    const paged: unknown[] = [];
    let page_token: string | undefined;
    do {
      const { times, token } = await search({ max_results: 1, page_token });
      paged.push(...times);
      page_token = token;
    } while (page_token !== undefined);
    expect(paged).toEqual(sorted);
    // Sluice's own list has instants, which four digits of a year bound.
    const own: string[] = [];
    let before = "";
    do {
      const more = before === "" ? "" : `&before=${before}`;
      const page = await exactly("GET", `/v1/runs?model=nanoseconds&limit=1${more}`);
      own.push(...page.items.map(({ started_at }: Told) => started_at));
      before = page.next ?? "";
    } while (before !== "");
    const last = "9999-12-31T23:59:59.999Z";
    expect(own).toEqual([
      ...[last, last, last, last, "1970-01-01T00:00:00.005Z", "0000-01-01T00:00:00Z"],
    ]);
  });

  test("logged models keep the steps of their metrics and of their making", async () => {
    const { model } = await post("logged-models", { experiment_id: "0", name: "m" });
    const { model_id } = model.info;
    const run_id = await newRun();
    const metric = { key: "acc", value: 1, timestamp: NS, step: NS, model_id };
    await post("runs/log-metric", { run_id, ...metric, step: NS - 1n });
    await post("runs/log-metric", { run_id, ...metric });
    await post("runs/outputs", { run_id, models: [{ model_id, step: MAX }] });
    const told = await get(`logged-models/${model_id}`, "");
    expect(told.model.data.metrics).toEqual([{ ...metric, run_id }]);
    const { run } = await get("runs/get", `run_id=${run_id}`);
    expect(run.outputs.model_outputs).toEqual([{ model_id, step: MAX }]);
  });

  test.each([
    ["9223372036854775808", "step"],
    ["-9223372036854775809", "step"],
    ['"9223372036854775808"', "step"],
    ["1e25", "step"],
    ["18446744073709551615", "timestamp"],
  ])("%s is beyond them as %s", async (value, name) => {
    const run_id = await newRun();
    const others = { step: '"timestamp":1', timestamp: '"step":1' }[name];
    const body = `{"run_id":"${run_id}","key":"k","value":1,${others},"${name}":${value}}`;
    const { status, json } = await tracked.ask("POST", "/api/2.0/mlflow/runs/log-metric", {
      raw: ["application/json", body],
    });
    expect([status, json.error_code]).toEqual([400, BAD]);
    expect(json.message).toStartWith(
      `Invalid value ${value} for parameter '${name}' supplied: It is no whole number of 64 bits`,
    );
  });

  test("a time before 1970 and a count of anything are told by their digits too", async () => {
    const run_id = await newRun();
    await expect(
      post("runs/log-metric", { run_id, key: "k", value: 1, timestamp: -NS }),
    ).rejects.toThrow(`Invalid value ${-NS} for parameter 'timestamp'`);
    await expect(post("runs/search", { experiment_ids: ["0"], max_results: NS })).rejects.toThrow(
      /^400: .*max_results/,
    );
  });

  test("a large number beside it leaves values as they are, and a body encoded twice too", async () => {
    const run_id = await newRun();
    const big = { run_id, key: "big", value: 2 ** 60, timestamp: 1, step: NS };
    const body = JSON.stringify(written(big));
    const { status } = await tracked.ask("POST", "/api/2.0/mlflow/runs/log-metric", {
      raw: ["application/json", body],
    });
    expect(status).toBe(200);
    const { run } = await get("runs/get", `run_id=${run_id}`);
    const [{ value, step }] = run.data.metrics;
    expect([Number(value), step]).toEqual([2 ** 60, NS]);
  });
});

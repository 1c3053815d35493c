import { describe, expect, test } from "bun:test";
import { stopwatch } from "../testing.ts";
import { fakeChampion, makeTestApp, makeWorld, servicesOf } from "./testing.ts";

const samples = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe("/metrics", () => {
  test("counts requests by pattern, however many addresses there were", async () => {
    const { ask } = makeTestApp();
    for (let i = 0; i < 20; i++) {
      await ask("GET", `/v1/models/m${i}`);
      await ask("GET", `/nowhere/${i}`);
      await ask(i % 2 === 0 ? "PROPFIND" : "LINK", "/v1/models");
    }
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "http_request_duration_seconds_count").sort()).toEqual([
      'http_request_duration_seconds_count{route="/v1/models",method="other",status="405"} 20',
      'http_request_duration_seconds_count{route="/v1/models/:model",method="GET",status="404"} 20',
      'http_request_duration_seconds_count{route="unknown",method="GET",status="404"} 20',
    ]);
    expect(samples(text, "sluice_problems_total").sort()).toEqual([
      'sluice_problems_total{code="method_not_allowed"} 20',
      'sluice_problems_total{code="unknown_model"} 20',
      'sluice_problems_total{code="unknown_route"} 20',
    ]);
  });

  test("tells the loaded champion, the age of candles and the memory at this moment", async () => {
    const { ask, world } = makeTestApp();
    const first = await ask("GET", "/metrics");
    expect(first.headers.get("content-type")).toStartWith("text/plain");
    expect(samples(first.text, "sluice_champion_version")).toEqual([
      'sluice_champion_version{model="btc"} 3',
    ]);
    // The newest candle closed 10 s before the clock of the fakes; KRW-ETH has none.
    expect(samples(first.text, "sluice_candles_newest_age_seconds")).toEqual([
      'sluice_candles_newest_age_seconds{market="KRW-BTC"} 10',
    ]);
    const [memory] = samples(first.text, "process_resident_memory_bytes");
    expect(Number(memory?.split(" ")[1])).toBeGreaterThan(1e7);
    world.champion = null;
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_champion_version")).toEqual([]);
    expect(samples(text, "sluice_aliases_age_seconds")).toEqual(["sluice_aliases_age_seconds 0.4"]);
  });

  test.each([
    ["hangs", () => new Promise<never>(() => {})],
    ["fails", () => Promise.reject(new Error("the database is away"))],
  ])("tells the rest when the database %s", async (_, answer) => {
    const services = servicesOf(makeWorld());
    const candles = { ...services.candles, newest: answer };
    const { ask } = makeTestApp({ services: () => ({ ...services, candles, sizes: answer }) });
    const watch = stopwatch();
    const { status, text } = await ask("GET", "/metrics");
    expect([status, samples(text, "sluice_candles_newest_age_seconds")]).toEqual([200, []]);
    expect(samples(text, "sluice_aliases_age_seconds")).toEqual(["sluice_aliases_age_seconds 0.4"]);
    expect(watch.ms()).toBeLessThan(watch.promised(5_000));
  });

  test("tells what retention has removed, and what tables and artifacts take", async () => {
    const { ask } = makeTestApp();
    // Told twice: totals are set, not added.
    await ask("GET", "/metrics");
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_retention_removed_total")).toContain(
      'sluice_retention_removed_total{what="pipeline_runs"} 7',
    );
    expect(samples(text, "sluice_retention_removed_total")).toHaveLength(8);
    expect(samples(text, "sluice_retention_freed_bytes_total")).toEqual([
      "sluice_retention_freed_bytes_total 4096",
    ]);
    expect(samples(text, "sluice_table_bytes")).toEqual([
      'sluice_table_bytes{table="candles"} 81920',
    ]);
    expect(samples(text, "sluice_artifact_bytes")).toEqual(["sluice_artifact_bytes 300"]);
  });

  test("measures rows and time of each version that is asked", async () => {
    const { ask } = makeTestApp();
    const data = [0, 0, 0, 0];
    const inputs = [{ name: "features", datatype: "FP32", shape: [2, 2], data }];
    await ask("POST", "/v2/models/btc/infer", { body: { inputs } });
    await ask("POST", "/v2/models/btc/infer", { body: { inputs: [] } });
    const { text } = await ask("GET", "/metrics");
    for (const name of ["sluice_request_rows", "sluice_run_rows"]) {
      expect(samples(text, `${name}_sum`)).toEqual([`${name}_sum{model="btc",version="3"} 2`]);
    }
    expect(samples(text, "sluice_run_seconds_count")).toEqual([
      'sluice_run_seconds_count{model="btc",version="3"} 1',
    ]);
  });

  test("tells how long rows waited for the runtime, and how many still wait", async () => {
    const { ask, world } = makeTestApp();
    world.champion = fakeChampion({
      run: async (_, rows, watch) => {
        watch?.queued(0.003);
        watch?.run(rows + 5, 0.002);
        return { probability: new Float32Array(rows), quantiles: new Float32Array(3 * rows) };
      },
      waiting: () => 7,
    });
    const row = { ret_1: 1, ret_2: 1 };
    await ask("POST", "/v1/models/btc/predict", { body: { instances: [row, row] } });
    await ask("POST", "/v1/models/btc/predict", {
      raw: ["application/x-ndjson", `${JSON.stringify(row)}\n`],
    });
    const { text } = await ask("GET", "/metrics");
    const sumOf = (name: string) => samples(text, `${name}_sum`)[0]?.split(" ")[1];
    expect(sumOf("sluice_request_rows")).toBe("3");
    expect(sumOf("sluice_run_rows")).toBe("13");
    expect(sumOf("sluice_queue_seconds")).toBe("0.006");
    expect(sumOf("sluice_run_seconds")).toBe("0.004");
    expect(samples(text, "sluice_queue_rows")).toEqual(['sluice_queue_rows{model="btc"} 7']);
  });

  test("counts a stream of rows as one request, whatever pieces it is answered in", async () => {
    const { ask } = makeTestApp();
    const lines = '{"ret_1":1,"ret_2":1}\n'.repeat(1_500);
    await ask("POST", "/v1/models/btc/predict", { raw: ["application/x-ndjson", lines] });
    const { text } = await ask("GET", "/metrics");
    for (const [what, count] of [
      ["sum", 1_500],
      ["count", 1],
    ]) {
      const name = `sluice_request_rows_${what}`;
      expect(samples(text, name)).toEqual([`${name}{model="btc",version="3"} ${count}`]);
    }
    expect(samples(text, "http_requests_in_flight")).toEqual(["http_requests_in_flight 1"]);
  });

  test("counts answers that are no numbers, by model, and gives no label to strangers", async () => {
    const { ask, world } = makeTestApp();
    const quantiles = new Float32Array(3);
    const probability = Float32Array.of(Number.NaN);
    world.champion = fakeChampion({ run: async () => ({ probability, quantiles }) });
    const init = { body: { instances: [{ ret_1: 1, ret_2: 1 }] } };
    expect((await ask("POST", "/v1/models/btc/predict", init)).status).toBe(500);
    await ask("POST", "/v1/models/nobody/predict", init);
    await ask("POST", "/v1/models/btc@77/predict", init);
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_non_finite_outputs_total")).toEqual([
      'sluice_non_finite_outputs_total{model="btc"} 1',
    ]);
    for (const made of ["nobody", '"77"', "@77"]) expect(text).not.toContain(made);
  });

  test("counts predicted rows", async () => {
    const { ask } = makeTestApp();
    const row = { ret_1: 1, ret_2: 1 };
    await ask("POST", "/v1/models/btc/predict", { body: { instances: [row, row, row] } });
    await ask("POST", "/v1/models/btc/predict", { body: { instances: [{}] } });
    const { text } = await ask("GET", "/metrics");
    expect(samples(text, "sluice_predictions_total")).toEqual([
      'sluice_predictions_total{model="btc"} 3',
    ]);
  });
});

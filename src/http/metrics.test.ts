import { describe, expect, test } from "bun:test";
import { makeTestApp } from "./testing.ts";

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

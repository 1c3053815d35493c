import { describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { makeServings } from "./serving.ts";

/** Servings by a clock of their own, and which versions have series. */
function make() {
  const registry = new Registry();
  let now = 0;
  const servings = makeServings(registry, () => now);
  const told = async (name: string): Promise<string[]> =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith(`${name}{`));
  const versions = async () =>
    (await told("sluice_run_rows_count")).map((line) => /version="(\d+)"/.exec(line)?.[1]);
  return {
    ...{ servings, told, versions },
    later: (ms: number) => {
      now += ms;
    },
  };
}

describe("the series of versions", () => {
  test("tell rows and times of requests and of runs apart", async () => {
    const { servings, told } = make();
    const serving = servings.of("btc", 3);
    serving.request(1);
    serving.request(100);
    serving.queued(0.002);
    serving.run(101, 0.0004);
    expect(await told("sluice_request_rows_sum")).toEqual([
      'sluice_request_rows_sum{model="btc",version="3"} 101',
    ]);
    expect(await told("sluice_request_rows_count")).toEqual([
      'sluice_request_rows_count{model="btc",version="3"} 2',
    ]);
    expect(await told("sluice_run_rows_count")).toEqual([
      'sluice_run_rows_count{model="btc",version="3"} 1',
    ]);
    expect(await told("sluice_queue_seconds_sum")).toEqual([
      'sluice_queue_seconds_sum{model="btc",version="3"} 0.002',
    ]);
    expect(await told("sluice_run_seconds_bucket")).toContain(
      'sluice_run_seconds_bucket{model="btc",version="3",le="0.0005"} 1',
    );
  });

  test("stay while asked or champion, and go when neither", async () => {
    const { servings, versions, later } = make();
    for (const version of [1, 2, 3]) servings.of("btc", version).run(1, 0.001);
    later(200_000);
    servings.of("btc", 1).run(1, 0.001);
    later(200_000);
    servings.trim((model, version) => model === "btc" && version === 3);
    expect(await versions()).toEqual(["1", "3"]);
    // Version 2 comes again as a new series.
    servings.of("btc", 2).run(5, 0.001);
    expect(await versions()).toEqual(["1", "3", "2"]);
  });

  test("are bounded where nobody reads them: a thousand swaps leave a hundred or so", async () => {
    const { servings, versions, later } = make();
    servings.of("kept", 1).run(1, 0.001);
    for (let version = 1; version <= 1_000; version++) {
      later(1);
      servings.of("btc", version).run(1, 0.001);
      servings.of("kept", 1).run(1, 0.001);
    }
    const left = await versions();
    expect(left).toHaveLength(128);
    expect(left).toContain("1000");
    // The one that was used all along still counts into its series.
    expect(left).toContain("1");
  });
});

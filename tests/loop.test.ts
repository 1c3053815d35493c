/*
 * The loop as a user meets it: an empty folder, a simulated exchange, HTTP and commands only.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { iso, UNIT_MS } from "../src/types.ts";
import { type Served, until } from "./served.ts";
import {
  BEGIN,
  type CandleView,
  MARKETS,
  MODELS,
  openStory,
  type Story,
  stores,
  tell,
  truth,
} from "./story.ts";

const MINUTES = 60_000;
const SLOT = BEGIN - 10_000;

interface RunItem {
  readonly id: string;
  readonly slot: string;
  readonly status: string;
}

interface Forecast {
  readonly id: string;
  readonly target: { readonly start: string; readonly close: string };
  readonly outcome: { readonly direction: string; readonly return: number } | null;
}

describe.each(stores("loop"))("the loop on %s", (store) => {
  let story: Story;
  let served: Served;
  beforeAll(async () => {
    story = await openStory(store);
    served = await story.serve();
    await served.ready();
  }, 3 * MINUTES);
  afterAll(() => story.close());

  const runsOf = async (model: string) =>
    (await served.get<{ items: RunItem[] }>(`/v1/pipelines/${model}/runs?limit=100`)).items;
  /** Waits until each pipeline has so many ended runs and none that is open. */
  const settled = (count: number) =>
    until(
      async () => {
        const all = await Promise.all(MODELS.map(runsOf));
        return all.every(
          (runs) => runs.length >= count && runs.every((run) => !/queued|running/.test(run.status)),
        );
      },
      2 * MINUTES,
      `${count} runs of each pipeline`,
    );

  test("the first forecast is for the candle that has just opened", async () => {
    for (const model of MODELS) {
      const answer = await served.get<Forecast & { abstain: unknown; up: number }>(
        `/v1/models/${model}/forecast`,
      );
      expect(answer.target).toEqual({ start: iso(SLOT), close: iso(SLOT + UNIT_MS) });
      expect(answer.abstain).toBeNull();
      expect(answer.up).toBeGreaterThan(0);
      expect(answer.up).toBeLessThan(1);
    }
    tell("loop", store);
  });

  test("candles are exactly those of the exchange, and none is open", async () => {
    for (const market of Object.values(MARKETS)) {
      const { items } = await served.get<{ items: CandleView[] }>(
        `/v1/candles/${market}?limit=5000`,
      );
      expect(items).toEqual(truth(market, SLOT).candles);
    }
    tell("loop", store);
  });

  test(
    "each new candle gives one run a pipeline and joins one outcome",
    async () => {
      await settled(1);
      for (let n = 1; n <= 3; n++) {
        story.exchange.advance(UNIT_MS);
        await settled(n + 1);
      }
      for (const model of MODELS) {
        const runs = await runsOf(model);
        expect(runs.map((run) => run.slot)).toEqual(
          [3, 2, 1, 0].map((n) => iso(SLOT + n * UNIT_MS)),
        );
        expect(runs.every((run) => run.status === "succeeded")).toBe(true);
        const { items } = await served.get<{ items: Forecast[] }>(`/v1/models/${model}/forecasts`);
        const closed = items.filter((item) => item.target.start < iso(SLOT + 3 * UNIT_MS));
        const all = truth(MARKETS[model], SLOT + 3 * UNIT_MS).candles;
        for (const { target, outcome } of closed) {
          const at = all.findIndex((candle) => candle.start === target.start);
          const [before, candle] = [all[at - 1], all[at]];
          if (candle === undefined) expect(outcome?.direction).toBe("no_candle");
          else expect(outcome?.return).toBeCloseTo(Math.log(candle.close / before!.close), 9);
        }
        expect(new Set(closed.map((item) => item.target.start)).size).toBe(3);
      }
      tell("loop", store);
    },
    4 * MINUTES,
  );

  test("nothing was learned from a candle before it had closed", async () => {
    const { items } = await served.get<{ items: { id: string; pipeline_run: string }[] }>(
      "/v1/runs?limit=100",
    );
    const slots = new Map<string, string>();
    for (const model of MODELS) for (const run of await runsOf(model)) slots.set(run.id, run.slot);
    for (const { id, pipeline_run } of items) {
      const run = await served.get<{ datasets: { last_slot: string }[] }>(`/v1/runs/${id}`);
      expect(run.datasets).toHaveLength(1);
      expect(run.datasets[0]!.last_slot < slots.get(pipeline_run)!).toBe(true);
    }
    tell("loop", store);
  });

  test(
    "eighteen slots missed are one run, and a pause is caught up by one",
    async () => {
      const before = (await runsOf("btc")).length;
      story.exchange.advance(18 * UNIT_MS);
      await settled(before + 1);
      expect((await runsOf("btc")).length).toBe(before + 1);
      await served.post("/admin/schedules/btc/pause");
      await served.post("/admin/schedules/eth/pause");
      story.exchange.advance(30 * UNIT_MS);
      await Bun.sleep(3_000);
      expect((await runsOf("btc")).length).toBe(before + 1);
      await served.post("/admin/schedules/btc/resume");
      await served.post("/admin/schedules/eth/resume");
      await settled(before + 2);
      expect((await runsOf("btc")).length).toBe(before + 2);
      tell("loop", store);
    },
    4 * MINUTES,
  );

  test("promotion by hand: gates, compare-and-set, history, rollback", async () => {
    type Model = { champion: { version: number } };
    const { champion } = await served.get<Model>("/v1/models/btc");
    const stale = await served.fetch("/admin/models/btc/promote", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ version: 1, expected: champion.version + 1 }),
    });
    expect(stale.status).toBe(409);
    await served.post("/admin/models/btc/promote", { version: 1, force: true });
    expect((await served.get<Model>("/v1/models/btc")).champion.version).toBe(1);
    await served.post("/admin/models/btc/rollback");
    expect((await served.get<Model>("/v1/models/btc")).champion.version).toBe(champion.version);
    const unknown = await served.fetch("/admin/models/btc/promote", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ version: 999 }),
    });
    expect(unknown.status).toBe(404);
    tell("loop", store);
  });

  test(
    "a restart keeps champions, history and the forecast that was given",
    async () => {
      const path = "/v1/models/btc/forecast";
      const answer = await (await served.fetch(path)).text();
      const history = await served.get("/v1/models/btc/forecasts?limit=100");
      expect(await served.stop()).toBe(0);
      served = await story.serve();
      await served.ready();
      expect(await (await served.fetch(path)).text()).toBe(answer);
      expect(await served.get("/v1/models/btc/forecasts?limit=100")).toEqual(history);
      tell("loop", store);
    },
    2 * MINUTES,
  );
});

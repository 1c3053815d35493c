/*
 * The whole loop as a user lives with it: from an empty folder through weeks of candles, restarts,
 * pauses and corrections. The tests are chapters of one story, told on all stores at once.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { type Instant, iso, slotOf, UNIT_MS } from "../src/types.ts";
import {
  askCandles,
  askForecast,
  askForecasts,
  askHistory,
  askModel,
  askPipelineRun,
  askPipelineRuns,
  askReady,
  askRun,
  askRuns,
  askVersions,
  ended,
  move,
  openSlot,
  refusal,
  settled,
} from "./ask.ts";
import type { Served } from "./served.ts";
import { type StoreName, stores } from "./stores.ts";
import { BEGIN, MARKETS, MODELS, openStory, type Story, truth } from "./story.ts";
import { expectWhole, historyOf } from "./tracked.ts";

/** Many times what a chapter takes, for machines that are busy with something else. */
const CHAPTER_MS = 900_000;

/** The story as it goes on one store. */
interface Tale {
  readonly store: StoreName;
  readonly story: Story;
  app: Served;
  /** Slots that each pipeline has run for, oldest first. */
  readonly ran: Instant[];
  /** The chapter that failed: none after it can be told. */
  broken: string | null;
}

describe("the loop", () => {
  // It takes minutes of both cores: SLUICE_TEST_LONG tells it on both kinds, else on one.
  const told = process.env["SLUICE_TEST_LONG"] ? stores() : stores().slice(-1);
  let tales: readonly Tale[] = [];
  const time = stopwatch();

  beforeAll(async () => {
    tales = await Promise.all(
      told.map(async (store) => {
        const story = await openStory(store);
        return { store, story, app: await story.serve(), ran: [], broken: null };
      }),
    );
  }, 600_000);
  afterAll(async () => {
    await Promise.all(tales.map(({ story }) => story.close()));
  }, 600_000);

  /** The next chapter, on all stores at once. */
  const chapter = (what: string, tellOn: (tale: Tale) => Promise<void>) =>
    test(
      `on ${told.join(" and ")}: ${what}`,
      async () => {
        const ends = await Promise.allSettled(
          tales.map(async (tale) => {
            if (tale.broken !== null) throw new Error(`It ended with: ${tale.broken}`);
            tale.broken = what;
            await tellOn(tale);
            tale.broken = null;
          }),
        );
        for (const [i, end] of ends.entries()) {
          if (end.status === "fulfilled") continue;
          console.error(`on ${tales[i]?.store}:`);
          throw end.reason;
        }
      },
      CHAPTER_MS,
    );

  chapter("an empty folder becomes ready, with what the exchange has", async (tale) => {
    const { app, story, ran } = tale;
    await app.ready();
    await settled(app, openSlot(story));
    ran.push(openSlot(story));
    await expectTruth(tale);
    await expectRuns(tale);
    const { checks } = await askReady(app);
    expect(checks.every((check) => check.ok)).toBe(true);
    for (const model of MODELS) {
      const { champion, live } = await askModel(app, model);
      expect(champion?.version).toBe(1);
      expect(live.n).toBe(0);
    }
  });

  chapter("a training is a whole run for clients of MLflow", async ({ app }) => {
    const [version] = (await askVersions(app, "btc")).items;
    const id = version!.run!;
    const run = await expectWhole(app, id, "btc", [
      ...["calibration", "coverage", "fold_log_loss", "importance", "learning_curve"],
      ...["probabilities", "skill"],
    ]);
    expect(run.inputs.map(({ context }) => context)).toEqual(["training", "validation"]);
    expect(run.inputs[0]!.source).toMatchObject({ market: MARKETS.btc });
    expect(run.inputs[1]!.rows).toBe(run.metrics["rows"]!);
    for (const key of ["fold_log_loss", "fold_baseline_log_loss", "fold_accuracy"]) {
      const points = await historyOf(app, id, key);
      expect(points.map(({ step }) => step)).toEqual(points.map((_, fold) => fold));
      expect(points.length).toBeGreaterThan(1);
    }
  });

  chapter("the forecast is for the candle that has just opened", async ({ app, story }) => {
    for (const model of MODELS) {
      const open = openSlot(story);
      const forecast = await askForecast(app, model);
      expect(forecast.target).toEqual({ start: iso(open), close: iso(open + UNIT_MS) });
      const last = truth(MARKETS[model], open).candles.at(-1)!;
      expect(forecast.last_closed).toEqual({ start: last.start, close: last.close });
      const { p10, p50, p90 } = forecast.quantiles!;
      expect(p10).toBeLessThan(p50);
      expect(p50).toBeLessThan(p90);
      // Within what a candle can do: the range is about the last price and not about another.
      expect(Math.abs(Math.log(p50 / last.close))).toBeLessThan(0.02);
    }
  });

  chapter("a half-formed candle is neither stored nor forecast from", async (tale) => {
    const { app, story } = tale;
    const before = await Promise.all(MODELS.map((model) => askForecast(app, model)));
    story.exchange.advance(UNIT_MS / 2);
    for (const market of Object.values(MARKETS)) {
      const from = iso(openSlot(story) - 3 * UNIT_MS);
      const to = iso(story.exchange.now());
      const { id } = await app.post<{ id: string }>("/admin/backfill", { market, from, to });
      const { status } = await ended(app, `backfill-${market.toLowerCase()}`, id);
      expect(status).toBe("succeeded");
    }
    await watch(tale);
    await expectTruth(tale);
    const after = await Promise.all(MODELS.map((model) => askForecast(app, model)));
    expect(after).toEqual(before);
    story.exchange.advance(-UNIT_MS / 2);
  });

  chapter("four candles later each pipeline ran once for each of them", async (tale) => {
    for (let i = 0; i < 4; i++) {
      await pass(tale, 1);
      await expectRuns(tale);
    }
    await expectTruth(tale);
  });

  chapter("forecasts got the outcomes that the exchange tells", async ({ app, story, ran }) => {
    for (const model of MODELS) {
      const { candles } = truth(MARKETS[model], openSlot(story));
      const { items } = await askForecasts(app, model);
      const joined = items.filter((item) => item.outcome !== null);
      const targets = new Set(joined.map((item) => item.target.start));
      expect([...targets].reverse()).toEqual(ran.slice(0, 4).map(iso));
      for (const { target, outcome } of joined) {
        const i = candles.findIndex((candle) => candle.start === target.start);
        const moved = Math.log(candles[i]!.close / candles[i - 1]!.close);
        expect(outcome?.direction).toBe(moved > 0 ? "up" : moved < 0 ? "down" : "unchanged");
        expect(outcome?.return).toBeCloseTo(moved, 12);
      }
      for (const open of items.filter((item) => item.outcome === null)) {
        expect(open.target.start).toBe(iso(openSlot(story)));
      }
    }
  });

  chapter("the live record counts the first forecast of each candle", async ({ app }) => {
    for (const model of MODELS) {
      const { items } = await askForecasts(app, model);
      // Newest first: of each candle's forecasts the first one is set last.
      const first = new Map(
        items
          .filter((item) => item.outcome !== null && item.up !== null)
          .map((item) => [item.target.start, item]),
      );
      const chances = [...first.values()].map(({ up, outcome }) => ({
        up: up!,
        wentUp: outcome?.direction === "up",
      }));
      const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      const { live } = await askModel(app, model);
      expect(live.n).toBe(4);
      const hits = chances.map(({ up, wentUp }) => Number(up > 0.5 === wentUp));
      expect(live.hit_rate).toBeCloseTo(mean(hits), 12);
      const losses = chances.map(({ up, wentUp }) => -Math.log(wentUp ? up : 1 - up));
      expect(live.log_loss).toBeCloseTo(mean(losses), 9);
      const names = ["base_rate", "contrarian", "last_direction"];
      expect(Object.keys(live.baselines).sort()).toEqual(names);
    }
  });

  chapter("nothing was learned before it had closed", async ({ app, ran }) => {
    const { items } = await askRuns(app);
    expect(items).toHaveLength(MODELS.length * ran.length);
    for (const run of items) {
      expect(run.status).toBe("FINISHED");
      const { slot } = await askPipelineRun(app, run.model!, run.pipeline_run!);
      const { datasets } = await askRun(app, run.id);
      // What was fitted, and what it was judged on.
      expect(datasets).toHaveLength(2);
      for (const { last_slot, as_of } of datasets) {
        // The newest label is that of the candle before the slot: it closes when the slot opens.
        expect(Date.parse(last_slot!) + UNIT_MS).toBeLessThanOrEqual(Date.parse(slot));
        expect(Date.parse(as_of!)).toBeGreaterThanOrEqual(Date.parse(slot));
      }
    }
  });

  chapter("killed and started again, it remembers all and answers the same bytes", async (tale) => {
    const paths = MODELS.flatMap((model) => [
      `/v1/models/${model}/forecast`,
      `/v1/models/${model}/forecasts`,
      `/v1/models/${model}/versions`,
      `/v1/models/${model}/history`,
      `/v1/models/${model}`,
      `/v1/pipelines/${model}/runs`,
      `/v1/candles/${MARKETS[model]}?limit=5000`,
    ]);
    const texts = () => Promise.all(paths.map(async (path) => (await tale.app.fetch(path)).text()));
    const before = await texts();
    for (const end of ["kill", "stop"] as const) {
      await tale.app[end]();
      tale.app = await tale.story.serve();
      await tale.app.ready();
      expect(await texts()).toEqual(before);
    }
  });

  chapter("three days at once are one run a pipeline, and no hole", async (tale) => {
    const { stats } = tale.story.exchange;
    const before = stats.candleRequests;
    await pass(tale, 18);
    await expectRuns(tale);
    await expectTruth(tale);
    // One page a market and pipeline holds them all; the second look at history may come between.
    expect(stats.candleRequests - before).toBeLessThan(18);
    expect((await askRuns(tale.app)).items).toHaveLength(MODELS.length * tale.ran.length);
  });

  chapter("paused it does nothing, resumed it catches up with one run", async (tale) => {
    const { app, story, ran } = tale;
    expect((await story.run("pause", "btc")).code).toBe(0);
    await app.post("/admin/schedules/eth/pause");
    for (const candles of [2, 3]) {
      story.exchange.advance(candles * UNIT_MS);
      await until(
        async () => (await askForecast(app, "btc")).target.start === iso(openSlot(story)),
        LONG_MS,
        "the clock was followed",
      );
    }
    await watch(tale);
    const { abstain, up, quantiles } = await askForecast(app, "btc");
    expect(abstain?.reason).toBe("stale_candles");
    expect([up, quantiles]).toEqual([null, null]);
    await expectRuns(tale);
    const { schedule } = await askModel(app, "btc");
    expect(schedule).toMatchObject({ paused: true, next: null });

    expect((await story.run("resume", "btc")).code).toBe(0);
    await app.post("/admin/schedules/eth/resume");
    await settled(app, openSlot(story), () => watch(tale));
    ran.push(openSlot(story));
    await expectRuns(tale);
    await expectTruth(tale);
    expect((await askForecast(app, "btc")).abstain).toBeNull();
  });

  chapter("retrain, promote and roll back by hand", async ({ app, story }) => {
    const newest = (await askVersions(app, "btc")).items[0]!.version;
    const { run } = await app.post<{ run: string }>("/admin/models/btc/retrain");
    expect(await ended(app, "btc", run)).toMatchObject({ kind: "retrain", status: "succeeded" });
    expect((await askModel(app, "btc")).champion?.version).toBe(newest + 1);

    // The command line, with the server of the same folder or the same database.
    const promoted = await story.run("promote", "btc", "1", "--expected", `${newest + 1}`);
    expect(promoted).toMatchObject({ code: 0, errors: "" });
    expect(promoted.out).toContain("version 1 is champion");
    await until(
      async () => (await askForecast(app, "btc")).model.version === 1,
      LONG_MS,
      "version 1 serves",
    );
    const wrong = await story.run("promote", "btc", "2", "--expected", `${newest + 1}`);
    expect(wrong.code).toBe(1);
    expect(wrong.errors).toContain("the champion of btc is 1");
    const back = await story.run("rollback", "btc", "--json");
    expect(JSON.parse(back.out)).toMatchObject({ version: newest + 1, previous: 1 });
    const [latest] = (await askHistory(app, "btc")).items;
    expect(latest).toMatchObject({ from: 1, to: newest + 1, forced: false });
  });

  chapter("what is refused moves nothing", async ({ app, story }) => {
    const path = "/admin/models/eth/promote";
    const version = (await askVersions(app, "eth")).items[0]!.version;
    const history = await askHistory(app, "eth");
    const refused = async (body: object, status: number, code: string) =>
      expect(await refusal(app, path, body)).toMatchObject({ status, code });
    await refused({ version }, 422, "gate_failed");
    await refused({ version, force: true, expected: 77 }, 409, "not_the_champion");
    await refused({ version: 4_000 }, 404, "unknown_version");
    await refused({ version: "1" }, 422, "invalid_body");
    expect(await refusal(app, "/admin/models/eth/rollback")).toMatchObject({
      status: 409,
      code: "nothing_to_roll_back_to",
    });
    const stranger = await app.fetch(path, { method: "POST", headers: { authorization: "none" } });
    expect(stranger.status).toBe(401);
    const command = await story.run("promote", "eth", `${version}`);
    expect(command.code).toBe(1);
    expect(command.errors).toContain("against_champion");
    expect(await askHistory(app, "eth")).toEqual(history);

    const forced = await move(app, "eth", "promote", { version, force: true });
    expect(forced).toMatchObject({ version, previous: 1, changed: true });
    expect((await askHistory(app, "eth")).items[0]).toMatchObject({ to: version, forced: true });
    expect(await move(app, "eth", "rollback")).toMatchObject({ version: 1, previous: version });
  });

  chapter("a late correction is a new version; the past stays what it was", async (tale) => {
    const { app, story } = tale;
    const market = MARKETS.btc;
    const at = slotOf(BEGIN) - 20 * UNIT_MS;
    const was = truth(market, at + UNIT_MS, at).candles;
    const before = iso(story.exchange.now());
    const query = `from=${iso(at)}&to=${iso(at + UNIT_MS)}`;
    const old = (await askRuns(app)).items;
    const datasetOf = async (run: { id: string }) =>
      (await askRun(app, run.id)).datasets.find(({ context }) => context === "training");
    const datasets = await Promise.all(old.map(datasetOf));
    story.exchange.faults.push({ kind: "revise", market, at, times: -1 });
    await pass(tale, 1);
    await expectRuns(tale);

    const now = (await askCandles(app, market, query)).items;
    expect(now).toHaveLength(1);
    expect(now[0]!.close).not.toBe(was[0]!.close);
    expect((await askCandles(app, market, `${query}&as_of=${before}`)).items).toEqual(was);
    for (const [i, run] of old.entries()) {
      const dataset = await datasetOf(run);
      expect(dataset?.stale_at).not.toBeNull();
      expect(dataset?.stale_reason).toContain(market);
      expect(dataset?.digest).toBe(datasets[i]!.digest);
    }
    const fresh = (await askRuns(app)).items.filter((run) => !old.some((o) => o.id === run.id));
    expect(fresh).toHaveLength(MODELS.length);
    for (const run of fresh) expect(await datasetOf(run)).toMatchObject({ stale_at: null });
  });

  chapter("through all of it the exchange was asked politely", async ({ app, story }) => {
    const { peakPerSecond, withOrigin } = story.exchange.stats;
    // Counted where they arrive: those that waited for a busy machine come in one moment.
    expect(peakPerSecond).toBeLessThanOrEqual(time.promised(10));
    expect(withOrigin).toBe(0);
    expect((await story.run("verify", "--json")).code).toBe(0);
    expect(await app.stop()).toBe(0);
  });
});

/** Moves the exchange's clock and waits until the program has followed, watching its answers. */
async function pass(tale: Tale, candles: number): Promise<void> {
  const { app, story, ran } = tale;
  story.exchange.advance(candles * UNIT_MS);
  await settled(app, openSlot(story), () => watch(tale));
  ran.push(openSlot(story));
}

/** At no moment is a candle shown that is open, nor a forecast that lacks the newest one. */
async function watch({ app, story }: Tale): Promise<void> {
  for (const model of MODELS) {
    const open = openSlot(story);
    const { items } = await askCandles(app, MARKETS[model], `from=${iso(open)}`);
    expect(items).toEqual([]);
    const { target, last_closed, abstain } = await askForecast(app, model);
    const start = Date.parse(target.start);
    expect(start).toBeLessThanOrEqual(open);
    if (abstain === null) expect(last_closed?.start).toBe(iso(start - UNIT_MS));
    else expect(abstain.reason).toBe("stale_candles");
  }
}

/** What is stored is what the exchange has: each candle, and each slot without one. */
async function expectTruth({ app, story }: Tale): Promise<void> {
  for (const model of MODELS) {
    const { candles, empty } = truth(MARKETS[model], openSlot(story));
    const { items, holes } = await askCandles(app, MARKETS[model]);
    expect(items).toEqual(candles);
    expect(holes).toEqual(empty.map((start) => ({ start, state: "confirmed_empty" as const })));
  }
}

/** Each pipeline has run once for each slot of the story, and every run has succeeded. */
async function expectRuns({ app, ran }: Tale): Promise<void> {
  for (const model of MODELS) {
    const { items } = await askPipelineRuns(app, model);
    const scheduled = items.filter((run) => run.kind === "slot");
    expect(scheduled.map((run) => [run.slot, run.status]).reverse()).toEqual(
      ran.map((slot) => [iso(slot), "succeeded"]),
    );
  }
}

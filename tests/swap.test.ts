/*
 * The champion is changed twenty times under fifty requests a second: nobody is refused, and every
 * answer is that of the version that it names.
 */
import { expect, test } from "bun:test";
import * as v from "valibot";
import { predictAnswer } from "../src/http/answers.ts";
import { makeRandom } from "../src/learn/random.ts";
import { UNIT_MS } from "../src/types.ts";
import {
  askForecast,
  askHistory,
  askVersions,
  columnsOf,
  type Forecast,
  move,
  openSlot,
  settled,
} from "./ask.ts";
import { asJson, type Served } from "./served.ts";
import { openStory, stores, tell } from "./story.ts";

const VERSIONS = 3;
const SWAPS = 20;
const PER_SECOND = 50;
const SECONDS = 8;
const ROWS = 16;
/** More than the garbage of some seconds; a session that is never let go takes more with time. */
const GROWTH_BYTES = 150e6;

type Prediction = v.InferOutput<typeof predictAnswer>;

test.concurrent.each(stores("swap.test.ts"))(
  "twenty swaps under load on %s",
  async (store) => {
    const story = await openStory(store);
    try {
      const app = await story.serve();
      await settled(app, openSlot(story));
      while ((await askVersions(app, "btc")).items.length < VERSIONS) {
        story.exchange.advance(UNIT_MS);
        await settled(app, openSlot(story));
      }
      const body = { instances: rowsOf(await columnsOf(app, "btc")) };
      const expected = await answersOfVersions(app, body);
      // They would prove nothing if the versions agreed.
      const firsts = [...expected.values()].map((each) => JSON.stringify(each.predictions));
      expect(new Set(firsts).size).toBe(VERSIONS);

      const before = app.residentBytes();
      const load = underLoad(app, body);
      const moved: number[] = [];
      for (let i = 0; i < SWAPS; i++) {
        const version = (i % VERSIONS) + 1;
        const { changed } = await move(app, "btc", "promote", { version, force: true });
        if (changed) moved.push(version);
        // Who promotes and asks then is answered by the new one, in this process at once.
        expect((await predict(app, body)).model.version).toBe(version);
        await Bun.sleep((SECONDS * 1_000) / SWAPS / 2);
      }
      const { predictions, forecasts, failures } = await load;
      expect(failures).toEqual([]);
      expect(moved.length).toBeGreaterThanOrEqual(SWAPS - 1);
      expect(new Set(predictions.map((each) => each.model.version)).size).toBe(VERSIONS);
      for (const { model, predictions: rows } of predictions) {
        const known = expected.get(model.version);
        expect(known?.digest).toBe(model.digest);
        expect(withoutIds(rows)).toEqual(known!.predictions);
      }
      for (const forecast of forecasts) {
        expect(forecast).toEqual(expected.get(forecast.model.version)!.forecast);
      }
      expect(app.residentBytes() - before).toBeLessThan(GROWTH_BYTES);
      const { items } = await askHistory(app, "btc");
      expect(items.slice(0, moved.length).map((row) => row.to)).toEqual(moved.toReversed());
      expect(await app.stop()).toBe(0);
      tell("swap.test.ts", store);
    } finally {
      await story.close();
    }
  },
  480_000,
);

/** Rows of all sizes that a feature can have, and some that are missing. */
function rowsOf(columns: readonly string[]) {
  const random = makeRandom(7);
  const value = () => (random.next() < 0.05 ? null : (random.next() - 0.5) * 4);
  return Array.from({ length: ROWS }, () =>
    Object.fromEntries(columns.map((column) => [column, value()])),
  );
}

const withoutIds = (rows: Prediction["predictions"]) => rows.map(({ id: _, ...rest }) => rest);

async function predict(app: Served, body: object): Promise<Prediction> {
  const answer = await app.fetch("/v1/models/btc/predict", asJson(body));
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return v.parse(predictAnswer, JSON.parse(text));
}

/** What each version answers while nothing moves. */
async function answersOfVersions(app: Served, body: object) {
  const answers = new Map<
    number,
    { digest: string; predictions: ReturnType<typeof withoutIds>; forecast: Forecast }
  >();
  for (let version = 1; version <= VERSIONS; version++) {
    const { digest } = await move(app, "btc", "promote", { version, force: true });
    const { model, predictions } = await predict(app, body);
    expect(model).toEqual({ name: "btc", version, digest });
    const forecast = await askForecast(app, "btc");
    expect(forecast.model).toEqual(model);
    answers.set(version, { digest, predictions: withoutIds(predictions), forecast });
  }
  return answers;
}

/** Predictions and forecasts in turn, each sent when it is due, whatever the others do. */
async function underLoad(app: Served, body: object) {
  const predictions: Prediction[] = [];
  const forecasts: Forecast[] = [];
  const failures: string[] = [];
  const begun = performance.now();
  const sent: Promise<void>[] = [];
  for (let i = 0; i < PER_SECOND * SECONDS; i++) {
    await Bun.sleep(Math.max(0, begun + (i * 1_000) / PER_SECOND - performance.now()));
    const one = async () => {
      if (i % 2 === 0) predictions.push(await predict(app, body));
      else forecasts.push(await askForecast(app, "btc"));
    };
    sent.push(one().catch((thrown) => void failures.push(String(thrown))));
  }
  await Promise.all(sent);
  return { predictions, forecasts, failures };
}

/*
 * kill -9 at twenty moments of the loop, and a start after each: nothing acknowledged is lost.
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
const KILLS = 20;
const LONGEST_LIFE_MS = 5_000;
const SEED = 7;

/** A small generator (mulberry32), so that a failure can be told again by its seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe.each(stores("crash"))("kill -9 on %s", (store) => {
  let story: Story;
  beforeAll(async () => {
    story = await openStory(store);
  });
  afterAll(() => story.close());

  test(
    `${KILLS} times at random moments, then the loop finishes`,
    async () => {
      const random = seeded(SEED);
      const acknowledged = new Map<string, string>();
      const moments: number[] = [];
      let advanced = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const life = Math.round(200 + random() * LONGEST_LIFE_MS);
        moments.push(life);
        const launched = story.launch();
        const begun = performance.now();
        const url = await launched.listening;
        while (performance.now() - begun < life) {
          for (const model of MODELS) {
            const answer = await fetch(`${url}/v1/models/${model}/forecast`).catch(() => null);
            if (answer?.status !== 200) continue;
            const { id } = (await answer.json()) as { id: string };
            acknowledged.set(id, model);
          }
          await Bun.sleep(50);
        }
        await launched.kill();
        if (kill % 3 === 2) {
          story.exchange.advance(UNIT_MS);
          advanced++;
        }
      }
      console.log(`kill -9 on ${store}: seed ${SEED}, after ${moments.join(", ")} ms`);

      const served = await story.serve();
      await served.ready(2 * MINUTES);
      const slot = iso(BEGIN - 10_000 + advanced * UNIT_MS);
      await until(() => finished(served, slot), 3 * MINUTES, `runs for ${slot}`);
      for (const market of Object.values(MARKETS)) {
        const { items } = await served.get<{ items: CandleView[] }>(
          `/v1/candles/${market}?limit=5000`,
        );
        expect(items).toEqual(truth(market, Date.parse(slot)).candles);
      }
      for (const model of MODELS) await expectWhole(served, model, acknowledged);
      await served.stop();
      tell("crash", store);
    },
    8 * MINUTES,
  );
});

type Runs = { items: { id: string; slot: string; status: string }[] };

async function finished(served: Served, slot: string): Promise<boolean> {
  for (const model of MODELS) {
    const { items } = await served.get<Runs>(`/v1/pipelines/${model}/runs?limit=100`);
    if (items.some((run) => /queued|running/.test(run.status))) return false;
    if (!items.some((run) => run.slot === slot && run.status === "succeeded")) return false;
  }
  return true;
}

/** One champion that loads, versions whose bytes are theirs, every acknowledged forecast. */
async function expectWhole(served: Served, model: string, given: ReadonlyMap<string, string>) {
  const { champion } = await served.get<{ champion: { version: number; digest: string } }>(
    `/v1/models/${model}`,
  );
  expect(champion.version).toBeGreaterThan(0);
  const { items } = await served.get<{
    items: { version: number; digest: string; run: string; aliases: string[] }[];
  }>(`/v1/models/${model}/versions?limit=100`);
  expect(items.filter((version) => version.aliases.includes("champion"))).toHaveLength(1);
  for (const { run, digest } of items) {
    const bytes = await (await served.fetch(`/v1/runs/${run}/artifacts/model.onnx`)).bytes();
    expect(new Bun.CryptoHasher("sha256").update(bytes).digest("hex")).toBe(digest);
  }
  const kept = await served.get<{ items: { id: string }[] }>(
    `/v1/models/${model}/forecasts?limit=1000`,
  );
  const ids = new Set(kept.items.map((forecast) => forecast.id));
  for (const [id, of] of given) if (of === model) expect(ids.has(id)).toBe(true);
}

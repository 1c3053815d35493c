/*
 * Killed at any moment: twenty times, wherever it may be, and started again. Nothing that was
 * answered is lost, nothing is half there, and the loop goes on.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeRandom } from "../src/learn/random.ts";
import { sha256 } from "../src/store/objects.ts";
import { UNIT_MS } from "../src/types.ts";
import {
  askCandles,
  askForecasts,
  askModel,
  askPipelineRun,
  askPipelineRuns,
  askRuns,
  askVersions,
  type Forecast,
  openSlot,
  settled,
} from "./ask.ts";
import { type Launched, type Served, served, until } from "./served.ts";
import { MARKETS, MODELS, openStory, type Story, stores, tell, truth } from "./story.ts";

const KILLS = 20;
/** What it is doing when it is killed, and how long after the first sign of it at most. */
const PHASES = {
  start: 900,
  collect: 400,
  train: 1_200,
  record: 80,
  promote: 60,
  forecast: 40,
} as const;
type Phase = keyof typeof PHASES;

const seed = Number(process.env["SLUICE_STORY_SEED"] ?? Date.now() % 1_000_000);

test.each(stores("crash.test.ts"))(
  "killed twenty times on %s, it loses nothing",
  async (store) => {
    const story = await openStory(store);
    const random = makeRandom(seed);
    const seen = makeWitness();
    const moments: string[] = [];
    try {
      for (let i = 0; i < KILLS; i++) {
        const phases = Object.keys(PHASES) as Phase[];
        const phase = phases[i % phases.length]!;
        const extra = Math.round(random.next() * PHASES[phase]);
        // A slow page gives a collection some length.
        if (phase === "collect") story.exchange.faults.push({ kind: "slow", ms: 300 });
        const launched = story.launch();
        const reached = await reach(story, launched, phase, seen).catch(async (t) => {
          const app = await served(launched);
          for (const m of MODELS)
            console.log(JSON.stringify((await askPipelineRuns(app, m)).items.slice(0, 3)));
          console.log(launched.log.map((l) => JSON.stringify(l)).join("\n"), launched.errors());
          const { default: postgres } = await import("postgres");
          if (story.databaseUrl) {
            const sql = postgres(story.databaseUrl);
            console.log(await sql`select * from queue.job order by created_on desc limit 6`);
            console.log(
              await sql`select * from pipeline_runs where status in ('queued','running')`,
            );
          }
          throw t;
        });
        await Bun.sleep(extra);
        await launched.kill();
        await seen.stop();
        moments.push(`${reached ? phase : `${phase} (not met)`} +${extra} ms`);
      }
    } finally {
      console.log(`crash on ${store}, seed ${seed}: ${moments.join(", ")}`);
    }

    story.exchange.advance(UNIT_MS);
    const app = await story.serve();
    seen.watch(app);
    await settled(app, openSlot(story), undefined, 120_000);
    await seen.stop();
    await expectWhole(app, story, seen);
    expect(await app.stop()).toBe(0);
    await story.close();
    tell("crash.test.ts", store);
  },
  300_000,
);

/** Waits until the process is in a phase; false when it came to rest without being seen in it. */
async function reach(story: Story, launched: Launched, phase: Phase, seen: Witness) {
  if (phase === "start") return true;
  const app = await served(launched);
  seen.watch(app);
  let inPhase = false;
  let asked = false;
  await until(
    async () => {
      inPhase = await isIn(app, phase);
      if (inPhase) return true;
      // Nothing is due any more: the next candle closes.
      const runs = (await Promise.all(MODELS.map((m) => askPipelineRuns(app, m)))).flatMap(
        (page) => page.items,
      );
      const resting = runs.length > 0 && !runs.some(({ status }) => /queued|running/.test(status));
      if (resting && asked) return true;
      if (resting && !asked) {
        story.exchange.advance(UNIT_MS);
        asked = true;
        await Bun.sleep(1_500);
      }
      return false;
    },
    60_000,
    `a moment of ${phase}`,
  );
  return inPhase;
}

async function isIn(app: Served, phase: Phase): Promise<boolean> {
  if (phase === "record") {
    const { items } = await askRuns(app);
    return items.some((run) => run.status === "RUNNING");
  }
  for (const model of MODELS) {
    const { items } = await askPipelineRuns(app, model);
    const running = items.find((run) => run.status === "running");
    if (running === undefined) continue;
    const { steps } = await askPipelineRun(app, model, running.id);
    const at = (name: string) =>
      steps.some(({ step, status }) => step === name && status === "running");
    if (at(phase) || (phase === "promote" && at("evaluate"))) return true;
  }
  return false;
}

/** Asks all the while, and remembers what it was told. */
interface Witness {
  /** Every forecast that was answered, by id. */
  readonly forecasts: ReadonlyMap<string, Forecast>;
  /** How often a model's state was seen. */
  looks(): number;
  watch(app: Served): void;
  /** Ends the asking; throws what was wrong. */
  stop(): Promise<void>;
}

function makeWitness(): Witness {
  const forecasts = new Map<string, Forecast>();
  const champions = new Set<string>();
  let looks = 0;
  let over = false;
  let asking: Promise<void> = Promise.resolve();

  async function ask(app: Served): Promise<void> {
    // A process that is killed cuts its answers: what did not arrive was not promised.
    const bodyOf = async (path: string) => {
      const answer = await app.fetch(path).catch(() => null);
      if (answer?.ok !== true) return null;
      const text = await answer.text().catch(() => null);
      return text === null ? null : JSON.parse(text);
    };
    for (; !over; await Bun.sleep(20)) {
      for (const model of MODELS) {
        const forecast: Forecast | null = await bodyOf(`/v1/models/${model}/forecast`);
        if (forecast !== null) forecasts.set(forecast.id, forecast);
        const state = await bodyOf(`/v1/models/${model}`);
        if (state === null) continue;
        looks++;
        if (state.champion !== null) champions.add(model);
        else if (champions.has(model)) throw new Error(`${model} has lost its champion.`);
      }
    }
  }

  return {
    forecasts,
    looks: () => looks,
    watch: (app) => {
      over = false;
      asking = ask(app);
      // Told by `stop`.
      asking.catch(() => {});
    },
    stop: async () => {
      over = true;
      await asking;
    },
  };
}

async function expectWhole(app: Served, story: Story, seen: Witness): Promise<void> {
  expect(seen.looks()).toBeGreaterThan(KILLS);
  expect(seen.forecasts.size).toBeGreaterThan(0);
  for (const model of MODELS) {
    for (const run of (await askPipelineRuns(app, model)).items) {
      expect(["succeeded", "skipped", "failed", "crashed"]).toContain(run.status);
      const { steps } = await askPipelineRun(app, model, run.id);
      expect(steps.filter((step) => step.status === "running")).toEqual([]);
    }

    const { items: versions } = await askVersions(app, model);
    const champion = (await askModel(app, model)).champion!.version;
    expect(versions.filter((one) => one.aliases.includes("champion"))).toMatchObject([
      { version: champion },
    ]);
    for (const { run, digest, size } of versions) {
      const answer = await app.fetch(`/v1/runs/${run}/artifacts/model.onnx`);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(bytes.length).toBe(size);
      expect(sha256(bytes)).toBe(digest);
    }

    const kept = new Map((await askForecasts(app, model)).items.map((one) => [one.id, one]));
    for (const forecast of seen.forecasts.values()) {
      if (forecast.model.name === model) expect(kept.get(forecast.id)).toMatchObject(forecast);
    }

    const { candles, empty } = truth(MARKETS[model], openSlot(story));
    const { items, holes } = await askCandles(app, MARKETS[model]);
    expect(items).toEqual(candles);
    expect(holes.map((hole) => hole.start)).toEqual(empty);
  }
  const trainings = (await askRuns(app)).items.map((run) => `${run.name}: ${run.status}`);
  expect(trainings.filter((line) => line.endsWith("RUNNING"))).toEqual([]);
  // Neither work folders nor processes of the trainings that were under way.
  const work = join(story.env["SLUICE_DATA"]!, "work");
  expect(readdirSync(work)).toEqual([]);
  expect(trainersOf(work)).toEqual([]);
}

/** Training processes, whoever started them, that work below the folder. */
function trainersOf(work: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(work);
      } catch {
        return false;
      }
    });
}

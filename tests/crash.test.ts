/*
 * Killed at any moment, wherever it may be, and started again, many times. Nothing that was
 * answered is lost, nothing is half there, and the loop goes on.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeRandom } from "../src/learn/random.ts";
import { sha256 } from "../src/store/objects.ts";
import { LONG_MS, until } from "../src/testing.ts";
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
  type PipelineRun,
  settled,
} from "./ask.ts";
import { type Launched, type Served, served } from "./served.ts";
import { stores } from "./stores.ts";
import { MARKETS, MODELS, openStory, type Story, truth } from "./story.ts";
import { madeBy } from "./tracked.ts";

const told = stores();
/** On both stores together each phase is met, or on the only one three times. */
const KILLS = told.length === 1 ? 20 : 3;
/** What it is doing when it is killed, and how long after the first sign of it at most, in ms. */
const PHASES = {
  start: 900,
  collect: 400,
  train: 1_200,
  record: 80,
  promote: 60,
  forecast: 30,
} as const;
type Phase = keyof typeof PHASES;

const seed = Number(process.env["SLUICE_STORY_SEED"] ?? Date.now() % 1_000_000);

test.concurrent.each(told)(
  "killed again and again on %s, it loses nothing",
  async (store) => {
    const story = await openStory(store);
    const random = makeRandom(seed);
    const seen = makeWitness();
    const moments: string[] = [];
    try {
      for (let i = 0; i < KILLS; i++) {
        const phases = Object.keys(PHASES) as Phase[];
        const from = store === "embedded" ? 0 : 3;
        const phase = phases[(from + i) % phases.length]!;
        const extra = random.integer(PHASES[phase]);
        // Every other time it is the interrupted work that is met again.
        if (i % 2 === 1) story.exchange.advance(UNIT_MS);
        // A slow page gives a collection some length.
        if (phase === "collect") story.exchange.faults.push({ kind: "slow", ms: 300 });
        const launched = story.launch();
        const met = phase === "start" || (await meet(phase, story, launched, seen));
        await Bun.sleep(extra);
        await launched.kill();
        await seen.stop();
        moments.push(`${met ? phase : `${phase} (not met)`} +${extra} ms`);
      }

      story.exchange.advance(UNIT_MS);
      const app = await story.serve();
      seen.watch(app);
      await settled(app, openSlot(story));
      await seen.stop();
      await expectWhole(app, story, seen);
      expect(await app.stop()).toBe(0);
    } finally {
      console.log(`crash on ${store}, seed ${seed}: ${moments.join(", ")}`);
      await story.close();
    }
  },
  1_200_000,
);

/** Longer than the clock and the queue take to see that a candle has closed. */
const REST_MS = 3_500;

/** Waits until the process is in a phase; false when all work was done without a sight of it. */
async function meet(
  phase: Exclude<Phase, "start">,
  story: Story,
  launched: Launched,
  seen: Witness,
) {
  const app = await served(launched);
  seen.watch(app);
  const isIn = phase === "record" ? isRecording : makeStepWatch(phase);
  let met = false;
  let restsSince = performance.now();
  let advanced = false;
  await until(
    async () => {
      const open = await openRuns(app);
      met = await isIn(app, open);
      if (open.length > 0) restsSince = performance.now();
      const rests = performance.now() - restsSince > REST_MS;
      if (rests && !advanced) {
        // Nothing was due: the next candle closes.
        story.exchange.advance(UNIT_MS);
        advanced = true;
        restsSince = performance.now();
        return false;
      }
      return met || rests;
    },
    600_000,
    `a moment of ${phase}`,
    20,
  );
  return met;
}

async function openRuns(app: Served): Promise<PipelineRun[]> {
  const pages = await Promise.all(MODELS.map((model) => askPipelineRuns(app, model)));
  return pages.flatMap(({ items }) => items.filter(({ status }) => /queued|running/.test(status)));
}

/** A training that is being written down. */
async function isRecording(app: Served): Promise<boolean> {
  const { items } = await askRuns(app);
  return items.some((run) => run.status === "RUNNING");
}

/** The step runs, or for `forecast`, which takes a moment only, a promotion has just ended. */
function makeStepWatch(phase: Exclude<Phase, "start" | "record">) {
  let promoting: readonly PipelineRun[] = [];
  return async (app: Served, open: readonly PipelineRun[]): Promise<boolean> => {
    const stillOpen = new Set(open.map((run) => run.id));
    if (phase === "forecast" && promoting.some((run) => !stillOpen.has(run.id))) return true;
    const running = open.filter((run) => run.status === "running");
    const whole = await Promise.all(
      running.map((run) => askPipelineRun(app, run.pipeline, run.id)),
    );
    const at = (...names: string[]) =>
      whole.filter((run) =>
        run.steps.some(({ step, status }) => status === "running" && names.includes(step)),
      );
    promoting = at("train", "evaluate", "promote");
    if (phase === "promote") return at("evaluate", "promote").length > 0;
    return at(phase).length > 0;
  };
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
    for (; !over; await Bun.sleep(100)) {
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

    // A training that was begun anew left no second one.
    expect(await madeBy(app, model)).toEqual(versions.map(({ run }) => run!).sort());

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
  // One whose parent died before it had begun ends when it does, which a busy machine puts off.
  await until(() => trainersOf(work).length === 0, LONG_MS, "every training has ended");
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

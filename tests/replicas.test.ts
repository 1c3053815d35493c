/*
 * Two servers on one Postgres: each slot is run once, a promotion on one is the other's too, and
 * what the one leaves undone when it is killed, the other finishes.
 */
import { describe, expect, test } from "bun:test";
import { LONG_MS, stopwatch, until } from "../src/testing.ts";
import { iso, UNIT_MS } from "../src/types.ts";
import {
  askForecast,
  askModel,
  askPipelineRun,
  askPipelineRuns,
  askRuns,
  askVersions,
  ended,
  move,
  openSlot,
  settled,
} from "./ask.ts";
import type { Served } from "./served.ts";
import { hasServices, only, stores } from "./stores.ts";
import { MODELS, openStory } from "./story.ts";

const SLOTS = 4;
const RETRAINS = 6;
/** How late another replica may learn of a promotion. */
const VIEW_MS = 2_000;

stores();
describe.if(hasServices)(`two replicas ${only("services", "a folder is not shared")}`, () => {
  test("share the work, the champions, and what one of them leaves undone", async () => {
    const story = await openStory("services");
    try {
      const both = await Promise.all([story.serve(), story.serve()]);
      const [one, other] = both;
      await Promise.all(both.map((app) => app.ready()));
      await settled(one, openSlot(story));

      // Each slot once.
      for (let i = 1; i < SLOTS; i++) {
        story.exchange.advance(UNIT_MS);
        await settled(i % 2 === 0 ? one : other, openSlot(story));
      }
      for (const model of MODELS) {
        const { items } = await askPipelineRuns(one, model);
        expect(items.map((run) => [run.slot, run.status, run.attempts])).toEqual(
          Array.from({ length: SLOTS }, (_, i) => [
            iso(openSlot(story) - i * UNIT_MS),
            ...["succeeded", 1],
          ]),
        );
        expect((await askVersions(other, model)).items).toHaveLength(SLOTS);
      }
      const started = both.map((app) => startsIn(app).size);
      expect(sum(started)).toBe(SLOTS * MODELS.length);

      // Asked of both at once: the slot has its run, and each retraining is worked on once.
      const asked = await Promise.all(
        both.map((app) => app.post<{ id: string }>("/admin/pipelines/btc/runs")),
      );
      expect(new Set(asked.map(({ id }) => id)).size).toBe(1);
      const retrains = await Promise.all(
        Array.from({ length: RETRAINS }, (_, i) =>
          both[i % 2]!.post<{ run: string }>("/admin/models/btc/retrain"),
        ),
      );
      expect(new Set(retrains.map(({ run }) => run)).size).toBe(RETRAINS);
      for (const { run } of retrains) {
        expect(await ended(other, "btc", run)).toMatchObject({
          ...{ kind: "retrain", status: "succeeded", attempts: 1 },
        });
        expect(both.filter((app) => startsIn(app).has(run))).toHaveLength(1);
      }
      const trainings = (await askRuns(one)).items;
      expect(trainings).toHaveLength(SLOTS * MODELS.length + RETRAINS);
      expect(new Set(trainings.map((run) => run.pipeline_run)).size).toBe(trainings.length);

      // A promotion on one.
      for (const [i, version] of [1, 2, 1, 3].entries()) {
        const [here, there] = i % 2 === 0 ? [one, other] : [other, one];
        await move(here, "btc", "promote", { version, force: true });
        expect((await askForecast(here, "btc")).model.version).toBe(version);
        const serves = async () => (await askForecast(there, "btc")).model.version === version;
        const watch = stopwatch();
        await until(serves, LONG_MS, `the other serves version ${version}`, 20);
        expect(watch.ms()).toBeLessThan(watch.promised(VIEW_MS));
        expect(await askForecast(there, "btc")).toEqual(await askForecast(here, "btc"));
      }

      // The one that trains is killed.
      story.exchange.advance(UNIT_MS);
      const { victim, run } = await whoTrains(both);
      await victim.kill();
      const survivor = victim === one ? other : one;
      // The exchange's time goes on, as it does; each answer of it lets the other look.
      story.exchange.setSpeed(1);
      await settled(survivor, openSlot(story));
      const finished = await askPipelineRun(survivor, run.pipeline, run.id);
      expect(finished).toMatchObject({ status: "succeeded", attempts: 2 });
      expect(finished.steps.every((step) => step.status === "succeeded")).toBe(true);
      const versions = (await askVersions(survivor, run.pipeline)).items;
      expect(new Set(versions.map((version) => version.run)).size).toBe(versions.length);
      for (const training of (await askRuns(survivor)).items) {
        expect(training.status).not.toBe("RUNNING");
      }
      expect((await askModel(survivor, run.pipeline)).last_run?.id).toBe(run.id);
      expect(await survivor.stop()).toBe(0);
    } finally {
      await story.close();
    }
  }, 1_200_000);
});

describe.if(hasServices)(`roles ${only("services", "a folder is not shared")}`, () => {
  test("a web replica answers and runs nothing, a worker runs everything and answers nothing", async () => {
    const story = await openStory("services");
    try {
      const web = await story.serve({ env: { SLUICE_ROLE: "web" } });
      await until(async () => (await web.fetch("/v1/models")).ok, LONG_MS, "the web replica is up");
      const asked = await web.post<{ id: string }>("/admin/pipelines/btc/runs");
      // Time enough to have begun, were it to.
      await Bun.sleep(3_000);
      expect(await askPipelineRun(web, "btc", asked.id)).toMatchObject({ status: "queued" });
      expect((await askPipelineRuns(web, "eth")).items).toEqual([]);
      expect((await web.fetch("/readyz")).status).toBe(503);

      const worker = await story.serve({ args: ["worker"] });
      await Promise.all([web.ready(), worker.ready()]);
      await settled(web, openSlot(story));
      const { run } = await web.post<{ run: string }>("/admin/models/eth/retrain");
      expect(await ended(web, "eth", run)).toMatchObject({ kind: "retrain", status: "succeeded" });
      story.exchange.advance(UNIT_MS);
      await settled(web, openSlot(story));
      expect([...startsIn(worker)]).toEqual(expect.arrayContaining([asked.id, run]));
      expect(startsIn(worker).size).toBe(2 * MODELS.length + 1);
      expect(startsIn(web).size).toBe(0);

      // What the worker promoted, the web replica serves; the worker has no route for it.
      expect((await askForecast(web, "btc")).model.version).toBeGreaterThan(0);
      for (const path of ["/v1/models/btc/forecast", "/v1/models", "/admin/tokens"]) {
        expect([path, (await worker.fetch(path)).status]).toEqual([path, 404]);
      }
      for (const path of ["/healthz", "/readyz", "/metrics"]) {
        expect([path, (await worker.fetch(path)).status]).toEqual([path, 200]);
      }
      expect(await Promise.all([web.stop(), worker.stop()])).toEqual([0, 0]);
    } finally {
      await story.close();
    }
  }, 900_000);
});

/** The pipeline runs that a process has claimed, by its log. */
const startsIn = ({ log }: Served): Set<unknown> =>
  new Set(
    log.filter((line) => line["event"] === "pipeline_run_started").map((line) => line["run"]),
  );

/** The replica in which a training is under way, and its pipeline run. */
async function whoTrains(both: readonly Served[]) {
  let found: { victim: Served; run: { id: string; pipeline: string } } | null = null;
  await until(
    async () => {
      for (const pipeline of MODELS) {
        const { items } = await askPipelineRuns(both[0]!, pipeline);
        const running = items.find((run) => run.status === "running");
        if (running === undefined) continue;
        const run = await askPipelineRun(both[0]!, pipeline, running.id);
        const victim = both.find((app) => startsIn(app).has(run.id));
        const trains = run.steps.some(
          ({ step, status }) => step === "train" && status === "running",
        );
        if (trains && victim !== undefined) found = { victim, run };
      }
      return found !== null;
    },
    LONG_MS,
    "one of them trains",
    10,
  );
  return found!;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

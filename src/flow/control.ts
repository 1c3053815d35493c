/*
 * What an operator may ask of the flow: run, retrain, backfill, pause, resume. Each answers at
 * once with the id of a pipeline run; the work is done by workers.
 */
import { SluiceError } from "../errors.ts";
import type { ModelFile } from "../models.ts";
import type { PipelineRun, PipelineRuns } from "../store/pipeline-runs.ts";
import { CLOSE_GRACE_MS, type Instant, iso, newestClosed, slotOf, UNIT_MS } from "../types.ts";

export interface Control {
  /** The run of a slot (the newest due one by default), made unless it is there. */
  run(pipeline: string, slot: Instant | null): Promise<PipelineRun>;
  /** A new training of the model on what is known now. */
  retrain(model: string): Promise<PipelineRun>;
  /** Collects `from <= start < to` of a market again, noticing holes and revisions. */
  backfill(market: string, from: Instant, to: Instant): Promise<PipelineRun>;
  pause(pipeline: string): Promise<void>;
  /** Lifts a pause; whatever was missed, one run catches up. */
  resume(pipeline: string): Promise<void>;
}

export interface ControlDeps {
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly clock: { now(): Instant };
  readonly runs: PipelineRuns;
  readonly stepNames: readonly string[];
  /** Wakes the schedule, which tells the workers. */
  readonly wake: () => void;
}

export const BACKFILL_STEPS: readonly string[] = ["backfill"];

/** The pipeline that a market's backfills run in. */
export const backfillPipeline = (market: string): string => `backfill-${market.toLowerCase()}`;

export function makeControl({ models, clock, runs, stepNames, wake }: ControlDeps): Control {
  const newestSlot = (): Instant => {
    const now = clock.now();
    if (now > 0) return newestClosed(now) + UNIT_MS;
    throw new SluiceError({
      code: "exchange_unreachable",
      status: 503,
      detail: "The exchange has not answered yet, so its time is not known.",
      fix: "Wait until /readyz says that the exchange answers.",
      retryAfter: 5,
    });
  };

  const request = async (
    wanted: Parameters<PipelineRuns["request"]>[0],
    steps = stepNames,
  ): Promise<PipelineRun> => {
    const { run } = await runs.request(wanted, steps);
    wake();
    return run;
  };

  return {
    run: async (pipeline, slot) => {
      assertPipeline(pipeline, models);
      const newest = newestSlot();
      const wanted = slot ?? newest;
      if (slotOf(wanted) !== wanted || wanted > newest) throw badSlot(wanted, newest);
      return request({ pipeline, slot: wanted, kind: "slot" });
    },
    retrain: async (model) => {
      assertPipeline(model, models);
      return request({ pipeline: model, slot: newestSlot(), kind: "retrain" });
    },
    backfill: async (market, from, to) => {
      assertMarket(market, models);
      const end = Math.min(to, newestSlot());
      if (!(from < end)) throw badRange(from, to);
      return request(
        {
          pipeline: backfillPipeline(market),
          slot: slotOf(end - CLOSE_GRACE_MS),
          kind: "backfill",
          options: { market, from, to: end },
        },
        BACKFILL_STEPS,
      );
    },
    pause: async (pipeline) => {
      assertPipeline(pipeline, models);
      await runs.pause(pipeline, clock.now());
    },
    resume: async (pipeline) => {
      assertPipeline(pipeline, models);
      await runs.pause(pipeline, null);
      wake();
    },
  };
}

/** The markets that any model file names. */
export const marketsOf = (models: ReadonlyMap<string, ModelFile>): string[] => [
  ...new Set([...models.values()].flatMap((m) => [m.collect.market, ...m.collect.others])),
];

function assertPipeline(name: string, models: ReadonlyMap<string, ModelFile>): void {
  if (models.has(name)) return;
  throw new SluiceError({
    code: "unknown_pipeline",
    status: 404,
    detail: `There is no pipeline "${name}".`,
    fix: `Pipelines here: ${[...models.keys()].join(", ")}.`,
  });
}

/** Throws `unknown_market` (404) when no model file names the market. */
export function assertMarket(market: string, models: ReadonlyMap<string, ModelFile>): void {
  const known = marketsOf(models);
  if (known.includes(market)) return;
  throw new SluiceError({
    code: "unknown_market",
    status: 404,
    detail: `No model here uses market "${market}".`,
    fix: `Markets here: ${known.join(", ")}.`,
  });
}

const badSlot = (slot: Instant, newest: Instant): SluiceError =>
  new SluiceError({
    code: "bad_slot",
    status: 422,
    detail: `"slot" ${iso(slot)} is no slot that is due.`,
    fix: `Give a UTC 4-hour boundary up to ${iso(newest)}.`,
    faults: [{ path: "slot", message: `expected a 4-hour boundary up to ${iso(newest)}` }],
  });

const badRange = (from: Instant, to: Instant): SluiceError =>
  new SluiceError({
    code: "bad_range",
    status: 422,
    detail: `From ${iso(from)} to ${iso(to)} there is no closed candle.`,
    fix: 'Give "from" before "to", and both in the past.',
    faults: [{ path: "from", message: "expected an instant before `to` with closed candles" }],
  });

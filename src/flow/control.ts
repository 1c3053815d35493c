/*
 * What an operator may ask of the flow: run, retrain, backfill, pause, resume. Each answers at
 * once with the id of a pipeline run; the work is done by workers.
 */
import { SluiceError } from "../errors.ts";
import { isMarket, type ModelFile, marketModels, type TableFile } from "../models.ts";
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
  /** The steps of a model's pipeline, by name. */
  readonly stepNames: (model: ModelFile) => readonly string[];
  /** Throws where a table has no rows to learn from: better now than in a run that fails. */
  readonly assertImported: (model: TableFile) => Promise<void>;
  /** Wakes the schedule, which tells the workers. */
  readonly wake: () => void;
}

export const BACKFILL_STEPS: readonly string[] = ["backfill"];

/** The pipeline that a market's backfills run in. */
export const backfillPipeline = (market: string): string => `backfill-${market.toLowerCase()}`;

export function makeControl(deps: ControlDeps): Control {
  const { models, clock, runs, stepNames, wake } = deps;
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

  /** The newest slot of a candle; a table's runs are of the instant that they are asked for at. */
  const newestOf = (model: ModelFile): Instant =>
    isMarket(model) ? newestSlot() : clock.now() || Date.now();

  const request = async (
    wanted: Parameters<PipelineRuns["request"]>[0],
    steps: readonly string[],
  ): Promise<PipelineRun> => {
    const { run } = await runs.request(wanted, steps);
    wake();
    return run;
  };

  return {
    run: async (pipeline, slot) => {
      const model = modelOf(pipeline, models);
      const newest = newestOf(model);
      const wanted = slot ?? newest;
      const isSlot = !isMarket(model) || slotOf(wanted) === wanted;
      if (!isSlot || wanted > newest) throw badSlot(wanted, newest, model);
      if (!isMarket(model)) await deps.assertImported(model);
      return request({ pipeline, slot: wanted, kind: "slot" }, stepNames(model));
    },
    retrain: async (name) => {
      const model = modelOf(name, models);
      if (!isMarket(model)) await deps.assertImported(model);
      return request({ pipeline: name, slot: newestOf(model), kind: "retrain" }, stepNames(model));
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
      modelOf(pipeline, models);
      await runs.pause(pipeline, clock.now() || Date.now());
    },
    resume: async (pipeline) => {
      modelOf(pipeline, models);
      await runs.pause(pipeline, null);
      wake();
    },
  };
}

/** The markets that any model file names. */
export const marketsOf = (models: ReadonlyMap<string, ModelFile>): string[] => [
  ...new Set(marketModels(models).flatMap((m) => [m.collect.market, ...m.collect.others])),
];

function modelOf(name: string, models: ReadonlyMap<string, ModelFile>): ModelFile {
  const model = models.get(name);
  if (model !== undefined) return model;
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

function badSlot(slot: Instant, newest: Instant, model: ModelFile): SluiceError {
  const accepted = `${isMarket(model) ? "a UTC 4-hour boundary" : "an instant"} up to ${iso(newest)}`;
  return new SluiceError({
    code: "bad_slot",
    status: 422,
    detail: `"slot" ${iso(slot)} is no slot that is due.`,
    fix: `Give ${accepted}.`,
    faults: [{ path: "slot", message: `expected ${accepted}` }],
  });
}

const badRange = (from: Instant, to: Instant): SluiceError =>
  new SluiceError({
    code: "bad_range",
    status: 422,
    detail: `From ${iso(from)} to ${iso(to)} there is no closed candle.`,
    fix: 'Give "from" before "to", and both in the past.',
    faults: [{ path: "from", message: "expected an instant before `to` with closed candles" }],
  });

/*
 * Questions to a running program, each answer held to the form that the document promises.
 */
import * as v from "valibot";
import {
  candlesAnswer,
  type forecastAnswer,
  forecastsAnswer,
  modelAnswer,
  pipelineRunAnswer,
  pipelineRunsAnswer,
  runsAnswer,
  versionsAnswer,
} from "../src/http/answers.ts";
import { type Instant, iso, slotOf } from "../src/types.ts";
import { type Served, until } from "./served.ts";
import { MODELS, type Story } from "./story.ts";

export type Forecast = v.InferOutput<typeof forecastAnswer>;
export type PipelineRun = v.InferOutput<typeof pipelineRunsAnswer>["items"][number];

/** What GET answers, in the form of the schema. */
const asker =
  <const Schema extends v.GenericSchema>(schema: Schema, pathOf: (...names: string[]) => string) =>
  async (app: Served, ...names: string[]): Promise<v.InferOutput<Schema>> =>
    v.parse(schema, await app.get(pathOf(...names)));

export const askModel = asker(modelAnswer, (model) => `/v1/models/${model}`);
export const askForecasts = asker(
  forecastsAnswer,
  (model) => `/v1/models/${model}/forecasts?limit=1000`,
);
export const askVersions = asker(versionsAnswer, (model) => `/v1/models/${model}/versions`);
export const askRuns = asker(runsAnswer, () => "/v1/runs?limit=1000");
export const askPipelineRuns = asker(
  pipelineRunsAnswer,
  (pipeline) => `/v1/pipelines/${pipeline}/runs?limit=1000`,
);
export const askPipelineRun = asker(
  pipelineRunAnswer,
  (pipeline, run) => `/admin/pipelines/${pipeline}/runs/${run}`,
);
/** Everything stored of a market; `query` narrows it. */
export const askCandles = asker(
  candlesAnswer,
  (market, query = "") => `/v1/candles/${market}?limit=5000&${query}`,
);

const isOver = ({ status }: Pick<PipelineRun, "status">): boolean =>
  status !== "queued" && status !== "running";

/**
 * Waits until every pipeline has succeeded for the exchange's newest slot and nothing more is
 * open. Meanwhile whatever is answered must be true: `watch` is called at each look.
 */
export async function settled(
  app: Served,
  slot: Instant,
  watch: () => Promise<void> = async () => {},
  timeoutMs = 60_000,
): Promise<void> {
  const wanted = iso(slot);
  const done = async (model: string) => {
    const { items } = await askPipelineRuns(app, model);
    const mine = items.some((run) => run.slot === wanted && run.status === "succeeded");
    return mine && items.every(isOver);
  };
  let broken: unknown = null;
  await until(
    async () => {
      await watch().catch((thrown) => {
        broken = thrown;
      });
      if (broken !== null) return true;
      return (await Promise.all(MODELS.map(done))).every(Boolean);
    },
    timeoutMs,
    `every pipeline succeeded for ${wanted}`,
  );
  if (broken !== null) throw broken;
}

/** The slot that has just opened at the exchange. */
export const openSlot = ({ exchange }: Story): Instant => slotOf(exchange.now());

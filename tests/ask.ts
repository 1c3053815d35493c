/*
 * Questions to a running program, each answer held to the form that the document promises.
 */
import * as v from "valibot";
import {
  candlesAnswer,
  forecastAnswer,
  forecastsAnswer,
  historyAnswer,
  modelAnswer,
  movedAnswer,
  pipelineRunAnswer,
  pipelineRunsAnswer,
  problemAnswer,
  readyAnswer,
  runAnswer,
  runsAnswer,
  versionsAnswer,
} from "../src/http/answers.ts";
import { until } from "../src/testing.ts";
import { type Instant, iso, slotOf } from "../src/types.ts";
import { asJson, type Served } from "./served.ts";
import { MODELS, type Story } from "./story.ts";

/**
 * Trainings give way to everything else on the machine: a busy one takes a minute for what an idle
 * one does in a second.
 */
const WAIT_MS = 300_000;

export type Forecast = v.InferOutput<typeof forecastAnswer>;
export type PipelineRun = v.InferOutput<typeof pipelineRunsAnswer>["items"][number];

/** What GET answers, in the form of the schema. */
const asker =
  <const Schema extends v.GenericSchema>(schema: Schema, pathOf: (...names: string[]) => string) =>
  async (app: Served, ...names: string[]): Promise<v.InferOutput<Schema>> =>
    v.parse(schema, await app.get(pathOf(...names)));

export const askReady = asker(readyAnswer, () => "/readyz");
export const askModel = asker(modelAnswer, (model) => `/v1/models/${model}`);
export const askForecast = asker(forecastAnswer, (model) => `/v1/models/${model}/forecast`);
export const askForecasts = asker(
  forecastsAnswer,
  (model) => `/v1/models/${model}/forecasts?limit=1000`,
);
export const askVersions = asker(versionsAnswer, (model) => `/v1/models/${model}/versions`);
export const askHistory = asker(historyAnswer, (model) => `/v1/models/${model}/history`);
export const askRuns = asker(runsAnswer, () => "/v1/runs?limit=1000");
export const askRun = asker(runAnswer, (run) => `/v1/runs/${run}`);
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

/** Moves a model's champion by the administrator's route. */
export const move = async (app: Served, model: string, verb: string, body: object = {}) =>
  v.parse(movedAnswer, await app.post(`/admin/models/${model}/${verb}`, body));

/** The problem that a POST is refused with; it names the status that it came with. */
export async function refusal(app: Served, path: string, body: object = {}) {
  const answer = await app.fetch(path, asJson(body));
  const problem = v.parse(problemAnswer, await answer.json());
  if (problem.status !== answer.status) throw new Error(`${answer.status} says ${problem.status}`);
  return problem;
}

/** The columns that a model wants, in order: a row without any is refused by their names. */
export async function columnsOf(app: Served, model: string): Promise<string[]> {
  const { faults = [] } = await refusal(app, `/v1/models/${model}/predict`, { instances: [{}] });
  return faults.map(({ path }) => path.replace("instances[0].", ""));
}

/** Waits for a pipeline run to end and returns it. */
export async function ended(app: Served, pipeline: string, id: string, timeoutMs = WAIT_MS) {
  const look = () => askPipelineRun(app, pipeline, id);
  await until(async () => isOver(await look()), timeoutMs, `run ${id} of ${pipeline} ended`);
  return look();
}

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
  timeoutMs = WAIT_MS,
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

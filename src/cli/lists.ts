/*
 * The commands that list: models, runs, pipelines.
 */
import type { ModelItem, ModelsAnswer, RunsAnswer } from "./answers.ts";
import { numberText, renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { withSession } from "./session.ts";

export interface RunsOptions extends JsonOption {
  readonly limit: number;
}

const left = (title: string) => ({ title });
const right = (title: string) => ({ title, align: "right" as const });

/** Prints every model with its champion and how its forecasts turned out. */
export const models = (io: Io, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const answer = await call<ModelsAnswer>("GET", "/v1/models");
    await print(json ? JSON.stringify(answer) : modelTable(answer.items));
    return 0;
  });

const modelTable = (items: readonly ModelItem[]): string =>
  renderTable(
    [
      left("model"),
      left("market"),
      right("champion"),
      left("since"),
      left("digest"),
      right("challenger"),
      right("forecasts"),
      right("hit rate"),
      left("trouble"),
    ],
    items.map(({ name, kind, market, champion, challenger, live, trouble }) => [
      name,
      market ?? `(${kind})`,
      String(champion?.version ?? "-"),
      timeText(champion?.since),
      champion?.digest.slice(0, 12) ?? "-",
      String(challenger?.version ?? "-"),
      numberText(live.n, 9),
      numberText(live.hit_rate, 3),
      trouble?.detail ?? "",
    ]),
    "No models.",
  );

/** Prints trainings, newest first. */
export const runs = (
  io: Io,
  model: string | undefined,
  { json, limit }: RunsOptions,
): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const query = new URLSearchParams({ limit: String(limit) });
    if (model !== undefined) query.set("model", model);
    const answer = await call<RunsAnswer>("GET", `/v1/runs?${query}`);
    await print(json ? JSON.stringify(answer) : runTable(answer.items));
    return 0;
  });

const runTable = (items: RunsAnswer["items"]): string =>
  renderTable(
    [
      left("run"),
      left("model"),
      right("version"),
      left("status"),
      left("started"),
      right("log loss"),
      right("AUC"),
    ],
    items.map((run) => [
      run.id,
      run.model ?? run.name,
      String(run.version ?? "-"),
      run.status,
      timeText(run.started_at),
      numberText(run.metrics["log_loss"]),
      numberText(run.metrics["auc"]),
    ]),
    "No trainings yet.",
  );

/** Prints every pipeline with its schedule and its newest run. */
export const pipelines = (io: Io, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call, print }) => {
    const { items } = await call<ModelsAnswer>("GET", "/v1/models");
    // Each model with a model file has one pipeline, of its name.
    const own = items.filter(({ kind }) => kind !== "registered");
    const states = own.map(({ name, schedule, last_run }) => ({
      pipeline: name,
      schedule,
      last_run,
    }));
    await print(json ? JSON.stringify({ items: states, next: null }) : pipelineTable(own));
    return 0;
  });

const pipelineTable = (items: readonly ModelItem[]): string =>
  renderTable(
    [
      left("pipeline"),
      left("schedule (UTC)"),
      left("next"),
      left("newest slot"),
      left("status"),
      left("ended"),
      left("reason"),
    ],
    items.map(({ name, schedule, last_run: run }) => [
      name,
      schedule?.cron ?? "when asked",
      schedule?.paused === true ? "paused" : timeText(schedule?.next),
      timeText(run?.slot),
      run?.status ?? "no run yet",
      timeText(run?.ended_at),
      run?.reason ?? "",
    ]),
    "No pipelines.",
  );

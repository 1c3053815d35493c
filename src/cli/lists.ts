/*
 * The commands that list: models, runs, pipelines.
 */
import type { ListAnswer, ModelAnswer, RunAnswer, TrainingAnswer } from "./answers.ts";
import { durationText, numberText, renderTable, timeText } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { type Session, withSession } from "./session.ts";

export interface RunsOptions extends JsonOption {
  readonly limit: number;
}

const left = (title: string) => ({ title });
const right = (title: string) => ({ title, align: "right" as const });

/** Prints every model with its champion and how its forecasts turned out. */
export const models = (io: Io, { json }: JsonOption): Promise<number> =>
  withSession(io, async ({ call }) => {
    const answer = await call<ListAnswer<ModelAnswer>>("GET", "/v1/models");
    await io.print(json ? JSON.stringify(answer) : modelTable(answer.items));
    return 0;
  });

const modelTable = (items: readonly ModelAnswer[]): string =>
  renderTable(
    [
      left("model"),
      left("kind"),
      right("champion"),
      left("since"),
      left("digest"),
      right("challenger"),
      right("forecasts"),
      right("hit rate"),
    ],
    items.map(({ name, kind, champion, challenger, live }) => [
      name,
      kind,
      String(champion?.version ?? "-"),
      timeText(champion?.since),
      champion?.digest.slice(0, 12) ?? "-",
      String(challenger?.version ?? "-"),
      numberText(live?.n, 9),
      numberText(live?.hit_rate, 3),
    ]),
    "No models.",
  );

/** Prints trainings, newest first. */
export const runs = (
  io: Io,
  model: string | undefined,
  { json, limit }: RunsOptions,
): Promise<number> =>
  withSession(io, async ({ call }) => {
    const query = new URLSearchParams({ limit: String(limit) });
    if (model !== undefined) query.set("model", model);
    const answer = await call<ListAnswer<TrainingAnswer>>("GET", `/v1/runs?${query}`);
    await io.print(json ? JSON.stringify(answer) : trainingTable(answer.items));
    return 0;
  });

const trainingTable = (items: readonly TrainingAnswer[]): string =>
  renderTable(
    [
      left("run"),
      left("model"),
      left("status"),
      right("version"),
      left("started"),
      right("took"),
      right("log loss"),
      right("AUC"),
    ],
    items.map((run) => [
      run.id,
      run.model ?? "-",
      run.status,
      String(run.version ?? "-"),
      timeText(run.started_at),
      tookText(run.started_at, run.ended_at),
      numberText(run.metrics?.["log_loss"]),
      numberText(run.metrics?.["auc"]),
    ]),
    "No trainings yet.",
  );

/** Prints every pipeline with its newest run. */
export const pipelines = (io: Io, { json }: JsonOption): Promise<number> =>
  withSession(io, async (session) => {
    const { items } = await session.call<ListAnswer<ModelAnswer>>("GET", "/v1/models");
    const states = await Promise.all(items.map((model) => pipelineState(session, model)));
    await io.print(json ? JSON.stringify({ items: states, next: null }) : pipelineTable(states));
    return 0;
  });

interface PipelineState {
  readonly pipeline: string;
  readonly schedule: ModelAnswer["schedule"];
  readonly newest: RunAnswer | null;
}

async function pipelineState({ call }: Session, model: ModelAnswer): Promise<PipelineState> {
  const path = `/v1/pipelines/${encodeURIComponent(model.name)}/runs?limit=1`;
  const { items } = await call<ListAnswer<RunAnswer>>("GET", path);
  return { pipeline: model.name, schedule: model.schedule, newest: items[0] ?? null };
}

const pipelineTable = (states: readonly PipelineState[]): string =>
  renderTable(
    [
      left("pipeline"),
      left("schedule (UTC)"),
      left("newest slot"),
      left("kind"),
      left("status"),
      right("took"),
      left("reason"),
    ],
    states.map(({ pipeline, schedule, newest }) => [
      pipeline,
      schedule?.paused === true ? "paused" : (schedule?.cron ?? "-"),
      timeText(newest?.slot),
      newest?.kind ?? "-",
      newest?.status ?? "no run yet",
      tookText(newest?.started_at, newest?.ended_at),
      newest?.reason ?? "",
    ]),
    "No pipelines.",
  );

/** How long something took, from two ISO texts; `-` while it is under way. */
function tookText(from: string | null | undefined, to: string | null | undefined): string {
  return from == null || to == null ? "-" : durationText(Date.parse(to) - Date.parse(from));
}

/*
 * Pipeline runs: what was done for each slot, step by step, and asking for more.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { backfillPipeline, marketsOf } from "../flow/control.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import { idAnswer, pausedAnswer, pipelineRunAnswer, pipelineRunsAnswer } from "./answers.ts";
import { exact, instant, page } from "./fields.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";
import { pipelineRunView, wholePipelineRunView } from "./views.ts";

const slotKeys = v.tuple([v.pipe(v.number(), v.safeInteger()), v.string()]);

/** The same run for readers and, as the interface promises it, for administrators. */
const oneRun = (path: `${string}/:pipeline/runs/:run`, group: "read" | "admin") =>
  route({
    method: "GET",
    path: path as "/:pipeline/runs/:run",
    group,
    tag: "pipelines",
    summary: "One pipeline run with its steps",
    gives: pipelineRunAnswer,
    handle: async ({ services: { runs }, params }) => {
      const run = await runs.run(params.run);
      if (run === null || run.pipeline !== params.pipeline) {
        throw unknownRun(params.run, params.pipeline);
      }
      return wholePipelineRunView(run, await runs.stepsOf(run.id));
    },
  });

export const pipelineRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/v1/pipelines/:pipeline/runs",
    group: "read",
    tag: "pipelines",
    summary: "Runs of a pipeline, newest slot first",
    query: exact(page),
    gives: pipelineRunsAnswer,
    handle: async ({ services, params, query }) => {
      assertPipeline(params.pipeline, services);
      const keys = keysIn(query.before, slotKeys);
      const before = keys === null ? null : { slot: keys[0], id: keys[1] };
      const rows = await services.runs.list(params.pipeline, query.limit + 1, before);
      const { items, next } = pageOf(rows, query.limit, (row) => [row.slot, row.id]);
      return { items: items.map(pipelineRunView), next };
    },
  }),
  oneRun("/v1/pipelines/:pipeline/runs/:run", "read"),
  oneRun("/admin/pipelines/:pipeline/runs/:run", "admin"),
  route({
    method: "POST",
    path: "/admin/pipelines/:pipeline/runs",
    group: "admin",
    tag: "pipelines",
    summary: "Run a pipeline for a slot, the newest due one by default",
    body: exact({ slot: v.optional(instant) }),
    status: 202,
    gives: idAnswer,
    handle: async ({ services, params, body }) => ({
      id: (await services.control.run(params.pipeline, body.slot ?? null)).id,
    }),
  }),
  route({
    method: "POST",
    path: "/admin/schedules/:pipeline/pause",
    group: "admin",
    tag: "pipelines",
    summary: "Pause a schedule",
    gives: pausedAnswer,
    handle: async ({ services, params: { pipeline } }) => {
      await services.control.pause(pipeline);
      return { pipeline, paused: true };
    },
  }),
  route({
    method: "POST",
    path: "/admin/schedules/:pipeline/resume",
    group: "admin",
    tag: "pipelines",
    summary: "Resume a schedule; one run catches up",
    gives: pausedAnswer,
    handle: async ({ services, params: { pipeline } }) => {
      await services.control.resume(pipeline);
      return { pipeline, paused: false };
    },
  }),
];

/** A model's pipeline, or the one that a market's backfills run in; `unknown_pipeline` (404). */
function assertPipeline(name: string, { models }: HttpServices): void {
  if (models.has(name) || marketsOf(models).some((m) => backfillPipeline(m) === name)) return;
  throw new SluiceError({
    code: "unknown_pipeline",
    status: 404,
    detail: `There is no pipeline "${name}".`,
    fix: `Pipelines here: ${[...models.keys()].join(", ")}.`,
  });
}

const unknownRun = (id: string, pipeline: string): SluiceError =>
  new SluiceError({
    code: "unknown_run",
    status: 404,
    detail: `Pipeline "${pipeline}" has no run "${id}".`,
    fix: `Look the id up in GET /v1/pipelines/${pipeline}/runs.`,
  });

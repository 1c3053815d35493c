/*
 * Models as they stand: champion, schedule, how their forecasts turned out, and their history.
 */
import { Cron } from "croner";
import * as v from "valibot";
import { isMarket, type ModelFile } from "../models.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import { CHAMPION } from "../registry/promotion.ts";
import { unknownModel } from "../serve/forecast.ts";
import { type Instant, iso } from "../types.ts";
import { historyAnswer, modelAnswer, modelsAnswer, versionsAnswer } from "./answers.ts";
import { exact, page } from "./fields.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";
import { historyView, isoOrNull, metricsView, versionView } from "./views.ts";

const idKey = v.tuple([v.pipe(v.number(), v.safeInteger())]);

export const modelRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/v1/models",
    group: "read",
    tag: "models",
    summary: "Every model",
    gives: modelsAnswer,
    handle: async ({ services }) => ({
      items: await Promise.all([...services.models.values()].map((m) => modelView(m, services))),
      next: null,
    }),
  }),
  route({
    method: "GET",
    path: "/v1/models/:model",
    group: "read",
    tag: "models",
    summary: "One model",
    gives: modelAnswer,
    handle: ({ services, params }) => modelView(modelOf(params.model, services), services),
  }),
  route({
    method: "GET",
    path: "/v1/models/:model/versions",
    group: "read",
    tag: "models",
    summary: "The versions of a model, newest first",
    query: exact(page),
    gives: versionsAnswer,
    handle: async ({ services, params, query }) => {
      const { name } = modelOf(params.model, services);
      const { items, next } = await services.versions.versions(name, query);
      return { items: items.map(versionView), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/models/:model/history",
    group: "read",
    tag: "models",
    summary: "Every move of the model's aliases, newest first",
    query: exact(page),
    gives: historyAnswer,
    handle: async ({ services, params, query }) => {
      const { name } = modelOf(params.model, services);
      const before = keysIn(query.before, idKey)?.[0] ?? Number.POSITIVE_INFINITY;
      const rows = (await services.promotion.history(name)).filter((row) => row.id < before);
      const { items, next } = pageOf(rows, query.limit, (row) => [row.id]);
      return { items: items.map(historyView), next };
    },
  }),
];

/** The model file of that name, or `unknown_model` (404). */
export function modelOf(name: string, { models }: Pick<HttpServices, "models">): ModelFile {
  const model = models.get(name);
  if (model === undefined) throw unknownModel(name, models);
  return model;
}

/**
 * A model as it stands. The champion is the one that the alias names; `trouble` tells why another
 * one may still serve.
 */
async function modelView(model: ModelFile, services: HttpServices) {
  const { promotion, versions, tracking, runs, forecasts, champions, clock } = services;
  const { name } = model;
  const [champion, aliases, newest, paused, live] = await Promise.all([
    promotion.champion(name),
    promotion.aliases(name),
    runs.list(name, 1, null),
    runs.paused(),
    forecasts.record(name),
  ]);
  const version = champion === null ? null : await versions.version(name, champion.version);
  const run = version?.runId == null ? null : await tracking.run(version.runId);
  const challenger = aliases.find((row) => row.alias === "challenger");
  const { trouble } = champions.state(name);
  const [last] = newest;
  return {
    name,
    kind: model.kind,
    description: model.description,
    market: isMarket(model) ? model.collect.market : null,
    [CHAMPION]: champion === null ? null : { ...champion, since: iso(champion.since) },
    challenger:
      challenger === undefined
        ? null
        : { version: challenger.version, since: iso(challenger.since) },
    trouble: trouble === null ? null : { code: trouble.code, detail: trouble.message },
    metrics: run === null ? {} : metricsView(run.metrics),
    signature: version?.signature ?? null,
    schedule:
      model.schedule === undefined
        ? null
        : {
            cron: model.schedule.cron,
            next: paused.has(name) ? null : isoOrNull(nextTick(model.schedule.cron, clock.now())),
            paused: paused.has(name),
          },
    last_run:
      last === undefined
        ? null
        : {
            id: last.id,
            slot: iso(last.slot),
            status: last.status,
            reason: last.reason,
            ended_at: isoOrNull(last.endedAt),
          },
    live,
  };
}

/** The next time of a cron pattern in UTC, or null while the clock is not known. */
function nextTick(cron: string, now: Instant): Instant | null {
  if (now === 0) return null;
  const pattern = new Cron(cron, { paused: true, timezone: "UTC" });
  return pattern.nextRun(new Date(now))?.getTime() ?? null;
}

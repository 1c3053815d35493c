/*
 * Models as they stand: champion, schedule, how their forecasts turned out, and their history.
 */
import { Cron } from "croner";
import * as v from "valibot";
import { isMarket, type ModelFile } from "../models.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import { CHAMPION } from "../registry/promotion.ts";
import { unknownModel } from "../serve/versions.ts";
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
      items: await Promise.all((await namesOf(services)).map((name) => modelView(name, services))),
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
    handle: async ({ services, params }) => {
      await assertModel(params.model, services);
      return modelView(params.model, services);
    },
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
      await assertModel(params.model, services);
      const { items, next } = await services.versions.versions(params.model, query);
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
      await assertModel(params.model, services);
      const before = keysIn(query.before, idKey)?.[0] ?? Number.POSITIVE_INFINITY;
      const rows = (await services.promotion.history(params.model)).filter(
        (row) => row.id < before,
      );
      const { items, next } = pageOf(rows, query.limit, (row) => [row.id]);
      return { items: items.map(historyView), next };
    },
  }),
];

/** Models of model files, then those that are only registered. */
async function namesOf({ models, versions }: HttpServices): Promise<string[]> {
  return [...new Set([...models.keys(), ...(await versions.names())])];
}

/** `unknown_model` (404) where there is neither a model file nor a registered model of that name. */
export async function assertModel(
  name: string,
  { models, versions }: Pick<HttpServices, "models" | "versions">,
): Promise<void> {
  if (models.has(name) || (await versions.isRegistered(name))) return;
  throw unknownModel(name, models);
}

/** The model file of that name, or `unknown_model` (404). */
export function modelOf(name: string, { models }: Pick<HttpServices, "models">): ModelFile {
  const model = models.get(name);
  if (model === undefined) throw unknownModel(name, models);
  return model;
}

/**
 * A model as it stands; one without a model file is of kind `registered`. The champion is the one
 * that the alias names; `trouble` tells why another one may still serve.
 */
async function modelView(name: string, services: HttpServices) {
  const { promotion, versions, tracking, runs, forecasts, champions, clock } = services;
  const model = services.models.get(name);
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
    kind: model?.kind ?? "registered",
    description: model?.description ?? "",
    market: model !== undefined && isMarket(model) ? model.collect.market : null,
    [CHAMPION]: champion === null ? null : { ...champion, since: iso(champion.since) },
    challenger:
      challenger === undefined
        ? null
        : { version: challenger.version, since: iso(challenger.since) },
    trouble: trouble === null ? null : { code: trouble.code, detail: trouble.message },
    metrics: run === null ? {} : metricsView(run.metrics),
    signature: version?.signature ?? null,
    schedule:
      model?.schedule === undefined
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

/*
 * Asking a champion: rows to predict, and the forecast of the next candle.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import type { Champion } from "../serve/champions.ts";
import { unknownModel } from "../serve/forecast.ts";
import { forecastAnswer, forecastsAnswer, predictAnswer } from "./answers.ts";
import { invalid, jsonOf, mediaType, textOf, unsupportedMedia } from "./body.ts";
import { rowsOfCsv } from "./csv.ts";
import { exact, page } from "./fields.ts";
import { type Rows, rowsOfJson } from "./instances.ts";
import { type GuardedRoute, route } from "./route.ts";
import { forecastView } from "./views.ts";

/** Rows a call of the runtime: between calls, other requests have their turn. */
const CHUNK = 1_024;

const instances = v.pipe(
  exact({ instances: v.array(v.record(v.string(), v.nullable(v.number()))) }),
  v.metadata({
    description: "Each row an object with every column of the signature; null where missing.",
    examples: [{ instances: [{ ret_1: 0.004, ret_2: null }] }],
  }),
);
const csv = v.pipe(v.string(), v.description("A header of column names, then a row a line."));

const EXPLAIN = "contributions are not available for market models";
const explain = v.optional(v.picklist(["true", "false"], "expected true or false"), "false");

const forecastKeys = v.tuple([v.pipe(v.number(), v.safeInteger()), v.string()]);

export const predictRoutes: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/v1/models/:model/predict",
    group: "predict",
    tag: "predict",
    summary: "Predict rows with the champion",
    query: exact({ explain }),
    takes: { "application/json": instances, "text/csv": csv },
    gives: predictAnswer,
    handle: async ({ services, params, query, request, bytes, metrics }) => {
      const { models, champions } = services;
      if (!models.has(params.model)) throw unknownModel(params.model, models);
      if (query.explain === "true") {
        throw invalid("invalid_query", "The query", [{ path: "explain", message: EXPLAIN }]);
      }
      const champion = champions.get(params.model);
      const rows = rowsIn(request, await bytes(), champion.facts.features);
      const predictions = await predict(champion, rows);
      metrics.predictions(params.model, rows.rows);
      const { version, digest } = champion;
      return { model: { name: params.model, version, digest }, predictions };
    },
  }),
  route({
    method: "GET",
    path: "/v1/models/:model/forecast",
    group: "predict",
    tag: "predict",
    summary: "The champion's forecast of the next candle",
    gives: forecastAnswer,
    handle: async ({ services, params, metrics }) => {
      const forecast = await services.forecaster.forecast(params.model);
      metrics.forecast(params.model);
      return { ...forecast };
    },
  }),
  route({
    method: "GET",
    path: "/v1/models/:model/forecasts",
    group: "read",
    tag: "models",
    summary: "Forecasts made so far, newest candle first, with what came of them",
    query: exact(page),
    gives: forecastsAnswer,
    handle: async ({ services, params, query }) => {
      const { models, forecasts } = services;
      if (!models.has(params.model)) throw unknownModel(params.model, models);
      const keys = keysIn(query.before, forecastKeys);
      const before = keys === null ? null : { targetStart: keys[0], id: keys[1] };
      const rows = await forecasts.list(params.model, query.limit + 1, before);
      const { items, next } = pageOf(rows, query.limit, (row) => [row.targetStart, row.id]);
      return { items: items.map(forecastView), next };
    },
  }),
];

function rowsIn(request: Request, bytes: Uint8Array, columns: readonly string[]): Rows {
  const type = mediaType(request);
  if (type === "application/json") return rowsOfJson(jsonOf(bytes), columns);
  if (type === "text/csv") return rowsOfCsv(textOf(bytes), columns);
  throw unsupportedMedia(type, ["application/json", "text/csv"]);
}

async function predict({ session, facts }: Champion, { features, rows }: Rows) {
  const columns = facts.features.length;
  const id = Bun.randomUUIDv7();
  const predictions: Prediction[] = [];
  for (let from = 0; from < rows; from += CHUNK) {
    const to = Math.min(rows, from + CHUNK);
    const part = features.subarray(from * columns, to * columns);
    const { probability, quantiles } = await session.run(part, to - from);
    for (let i = 0; i < to - from; i++) {
      const up = probability[i];
      const [p10, p50, p90] = quantiles.subarray(i * 3, i * 3 + 3);
      if (![up, p10, p50, p90].every(Number.isFinite)) throw noNumber(from + i);
      predictions.push({
        id: `${id}-${from + i}`,
        label: up! > 0.5 ? "up" : "not_up",
        probability: up!,
        quantiles: { p10: p10!, p50: p50!, p90: p90! },
      });
    }
  }
  return predictions;
}

interface Prediction {
  readonly id: string;
  readonly label: "up" | "not_up";
  readonly probability: number;
  /** Of the log return. */
  readonly quantiles: { readonly p10: number; readonly p50: number; readonly p90: number };
}

const noNumber = (row: number): SluiceError =>
  new SluiceError({
    code: "non_finite_output",
    detail: `The model gave a value for row ${row} that is not a finite number.`,
    fix: "Roll the model back to the version before, and report the version's run.",
  });

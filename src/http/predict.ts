/*
 * Asking a champion: rows to predict, and the forecast of the next candle.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import type { Champion } from "../serve/champions.ts";
import { unknownModel } from "../serve/forecast.ts";
import type { MarketOutput } from "../serve/session.ts";
import { forecastAnswer, forecastsAnswer, predictAnswer } from "./answers.ts";
import { invalid, jsonOf, mediaType, textOf, unsupportedMedia } from "./body.ts";
import { rowsOfCsv } from "./csv.ts";
import { exact, page } from "./fields.ts";
import { type Rows, rowsOfJson } from "./instances.ts";
import { type GuardedRoute, route } from "./route.ts";
import { forecastView } from "./views.ts";

/** Rows a call of the runtime: calls of other requests have their turn in between. */
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
      const read = readerOf(request);
      const body = await bytes();
      return champions.use(params.model, async (champion) => {
        const rows = read(body, champion.facts.features);
        const predictions = await predict(champion, rows);
        metrics.predictions(params.model, rows.rows);
        const { version, digest } = champion;
        return { model: { name: params.model, version, digest }, predictions };
      });
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

/** What reads a body of the request's type. */
function readerOf(request: Request): (bytes: Uint8Array, columns: readonly string[]) => Rows {
  const type = mediaType(request);
  if (type === "application/json") return (bytes, columns) => rowsOfJson(jsonOf(bytes), columns);
  if (type === "text/csv") return (bytes, columns) => rowsOfCsv(textOf(bytes), columns);
  throw unsupportedMedia(type, ["application/json", "text/csv"]);
}

/** One prediction a row, in the order of the rows. */
async function predict({ session, facts }: Champion, { features, rows }: Rows) {
  const columns = facts.features.length;
  const parts: Promise<MarketOutput>[] = [];
  // All are begun before the first is awaited: a session is not released while calls are under
  // way, and so a swap in the middle of a batch cannot take the rest of it away.
  for (let from = 0; from < rows; from += CHUNK) {
    const to = Math.min(rows, from + CHUNK);
    parts.push(session.run(features.subarray(from * columns, to * columns), to - from));
  }
  const id = Bun.randomUUIDv7();
  const predictions: Prediction[] = [];
  for (const { probability, quantiles } of await Promise.all(parts)) {
    for (const [i, up] of probability.entries()) {
      const row = predictions.length;
      const [p10, p50, p90] = quantiles.subarray(i * 3, i * 3 + 3);
      if (![up, p10, p50, p90].every(Number.isFinite)) throw noNumber(row);
      predictions.push({
        id: `${id}-${row}`,
        label: up > 0.5 ? "up" : "not_up",
        probability: up,
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

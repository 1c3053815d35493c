/*
 * Asking a champion: rows to predict, and the forecast of the next candle.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { isMarket } from "../models.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import type { Champion } from "../serve/champions.ts";
import { unknownModel } from "../serve/forecast.ts";
import { asMarket, asTable, type LoadedMarket, type LoadedTable } from "../serve/loaded.ts";
import type { MarketOutput } from "../serve/session.ts";
import { forecastAnswer, forecastsAnswer, predictAnswer } from "./answers.ts";
import { invalid, jsonOf, mediaType, textOf, unsupportedMedia } from "./body.ts";
import { rowsOfCsv } from "./csv.ts";
import { exact, page } from "./fields.ts";
import { rowsOfJson } from "./instances.ts";
import { type GuardedRoute, route } from "./route.ts";
import { predictTable } from "./table-predict.ts";
import { rowsOfTableCsv, rowsOfTableJson } from "./table-rows.ts";
import { forecastView } from "./views.ts";

/** Rows a call of the runtime: calls of other requests have their turn in between. */
const CHUNK = 1_024;

const instances = v.pipe(
  exact({
    instances: v.array(v.record(v.string(), v.nullable(v.union([v.number(), v.string()])))),
  }),
  v.metadata({
    description:
      "Each row an object of the signature's columns; null where missing. A market model wants " +
      "every column, and numbers; of a table those may be left out that may be missing.",
    examples: [
      { instances: [{ age: 39, workclass: "State-gov", education: null }] },
      { instances: [{ return_1: 0.004, return_2: null }] },
    ],
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
      const model = models.get(params.model);
      if (model === undefined) throw unknownModel(params.model, models);
      const explain = query.explain === "true";
      if (explain && isMarket(model)) {
        throw invalid("invalid_query", "The query", [{ path: "explain", message: EXPLAIN }]);
      }
      const type = bodyType(request);
      const body = await bytes();
      return champions.use(params.model, async (champion) => {
        const predictions = isMarket(model)
          ? await predictMarket(asMarket(champion), type, body)
          : await predictRows(asTable(champion), type, body, explain);
        metrics.predictions(params.model, predictions.length);
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

/** The type of a body that can be read, or `unsupported_media_type` (415). */
function bodyType(request: Request): "json" | "csv" {
  const type = mediaType(request);
  if (type === "application/json") return "json";
  if (type === "text/csv") return "csv";
  throw unsupportedMedia(type, ["application/json", "text/csv"]);
}

async function predictRows(
  champion: Champion & LoadedTable,
  type: "json" | "csv",
  body: Uint8Array,
  explain: boolean,
) {
  const { facts } = champion;
  const rows =
    type === "json" ? rowsOfTableJson(jsonOf(body), facts) : await rowsOfTableCsv(body, facts);
  return predictTable(champion, rows, explain);
}

/** One prediction a row, in the order of the rows. */
async function predictMarket(
  { session, facts }: LoadedMarket,
  type: "json" | "csv",
  body: Uint8Array,
) {
  const { features, rows } =
    type === "json"
      ? rowsOfJson(jsonOf(body), facts.features)
      : rowsOfCsv(textOf(body), facts.features);
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

/*
 * Asking a version, the champion where none is named: rows to predict, and the forecast of the
 * next candle.
 */
import * as v from "valibot";
import { keysIn, pageOf } from "../registry/page.ts";
import { unknownModel } from "../serve/forecast.ts";
import type { Remember } from "../serve/remember.ts";
import type { Served } from "../serve/versions.ts";
import { answeringOf, type Predictions, type Recall } from "./answering.ts";
import { forecastAnswer, forecastsAnswer, predictAnswer } from "./answers.ts";
import { jsonOf, mediaType, unsupportedMedia } from "./body.ts";
import { exact, page } from "./fields.ts";
import { isLines, LINE_TYPES } from "./ndjson.ts";
import { noteRows } from "./observe.ts";
import { predictLines } from "./predict-lines.ts";
import { refOf } from "./ref.ts";
import { type Call, type GuardedRoute, route } from "./route.ts";
import { forecastView } from "./views.ts";

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

const lines = v.pipe(
  v.string(),
  v.description("A row a line, each an object as in `instances`; answered line by line."),
);

const explain = v.optional(v.picklist(["true", "false"], "expected true or false"), "false");

const forecastKeys = v.tuple([v.pipe(v.number(), v.safeInteger()), v.string()]);

export const predictRoutes: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/v1/models/:ref/predict",
    group: "predict",
    hot: true,
    tag: "predict",
    summary: "Predict rows with the champion, or with model@version, model@alias",
    query: exact({ explain }),
    takes: { "application/json": instances, "text/csv": csv, "application/x-ndjson": lines },
    gives: predictAnswer,
    givesAlso: ["application/x-ndjson"],
    // Not async, and nothing is waited for that is there: each promise is a hundredth of the time.
    handle: (call) => {
      const { services, params, query, arrival, metrics } = call;
      const { model, version } = refOf(params.ref);
      const type = mediaType(call.request);
      const isExplained = query.explain === "true";
      if (isLines(type)) return predictLines(call, { model, version }, type, isExplained);
      const { remember, served } = services;
      const recall = remember === null ? null : recallOf(call, model, remember);
      const work = (served: Served, body: Uint8Array) => {
        arrival.served = served;
        const watch = metrics.serving(model, served.version);
        // One id less to make, and a prediction leads to its request.
        const id = arrival.isOwnId ? arrival.requestId : undefined;
        const isCsv = bodyType(type) === "csv";
        const answering = answeringOf(served, { isExplained, watch, recall, id });
        const said = isCsv ? answering.csv(body) : answering.json(jsonOf(body));
        const { version: number, digest } = served;
        const tell = (predictions: Predictions) => {
          noteRows(arrival, metrics, predictions.length);
          return { model: { name: model, version: number, digest }, predictions };
        };
        return said instanceof Promise ? said.then(tell) : tell(said);
      };
      return call.bytes().then((body) => served.use(model, version, (one) => work(one, body)));
    },
  }),
  route({
    method: "GET",
    path: "/v1/models/:ref/forecast",
    group: "predict",
    tag: "predict",
    summary: "The forecast of the next candle, by the champion or model@version, model@alias",
    query: exact({ explain }),
    gives: forecastAnswer,
    handle: async ({ services, params, query, metrics, arrival }) => {
      const { model: name, version: wanted } = refOf(params.ref);
      const isExplained = query.explain === "true";
      const forecast = await services.forecaster.forecast(name, wanted, isExplained);
      const { name: model, version, digest } = forecast.model;
      arrival.served = { model, version, digest };
      metrics.forecast(model);
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
function bodyType(type: string): "json" | "csv" {
  if (type === "application/json") return "json";
  if (type === "text/csv") return "csv";
  throw unsupportedMedia(type, ["application/json", "text/csv", LINE_TYPES[0]]);
}

const recallOf =
  ({ arrival, metrics }: Call, model: string, remember: Remember): Recall =>
  async (question, predict) => {
    const { predictions, result } = await remember(question, predict);
    arrival.cache = result === "hit" ? "hit" : "miss";
    metrics.cache(model, result);
    return predictions;
  };

/*
 * How a version answers rows, whichever kind it is and however the rows come.
 */
import type { Watch } from "../serve/batch.ts";
import { asMarket, type LoadedMarket, type LoadedPlain, tensorsOnly } from "../serve/loaded.ts";
import { marketQuestion, type Question, tableQuestion } from "../serve/remember.ts";
import type { Served } from "../serve/versions.ts";
import { textOf, unsupportedMedia } from "./body.ts";
import { rowsOfCsv } from "./csv.ts";
import { type Rows, rowsOfJson } from "./instances.ts";
import { predictMarket } from "./market-predict.ts";
import { LINE_TYPES } from "./ndjson.ts";
import { columnsOf, predictPlain, rowsOfPlainJson } from "./plain-predict.ts";
import { predictTable } from "./table-predict.ts";
import { rowsOfTableCsv, rowsOfTableJson, type TableRequest } from "./table-rows.ts";

export type Predictions = readonly object[];
type Said = Predictions | Promise<Predictions>;

/** One prediction a row, in the order of the rows; `invalid_instances` with every fault. */
export interface Answering {
  /** Of `{"instances": [...]}`. At once, where the version answers so. */
  json(body: unknown): Said;
  /** Of a text with a header of names. */
  csv(bytes: Uint8Array): Said;
}

/** Asks the cache of answers first. */
export type Recall = (question: Question, predict: () => Said) => Promise<Predictions>;

export interface AnsweringOptions {
  readonly isExplained: boolean;
  readonly watch: Watch;
  /** Null where nothing is remembered. */
  readonly recall: Recall | null;
  /** What the ids of predictions begin with; one of their own where nothing is told. */
  readonly id?: string | undefined;
}

/** Throws at once what a version says to any rows: that it cannot be explained, or takes none. */
export function answeringOf(served: Served, options: AnsweringOptions): Answering {
  if (served.kind === "plain") return ofPlain(served, options);
  if (served.kind === "table") return ofTable(served, options);
  return ofMarket(asMarket(served), options);
}

function ofMarket(
  version: LoadedMarket & { readonly digest: string },
  { isExplained, watch, recall }: AnsweringOptions,
): Answering {
  const { features } = version.facts;
  if (isExplained) version.explain(new Float32Array(), 0);
  const answer = (rows: Rows): Said => {
    const predict = () => predictMarket(version, rows, isExplained, watch);
    if (recall === null) return predict();
    return recall(marketQuestion(version.digest, rows.features, isExplained), predict);
  };
  return {
    json: (body) => answer(rowsOfJson(body, features)),
    csv: (bytes) => answer(rowsOfCsv(textOf(bytes), features)),
  };
}

function ofTable(
  version: Extract<Served, { kind: "table" }>,
  { isExplained, watch, recall, id }: AnsweringOptions,
): Answering {
  const { facts, digest } = version;
  const answer = (rows: TableRequest): Said => {
    const predict = () => predictTable(version, rows, isExplained, { watch, id });
    return recall === null ? predict() : recall(tableQuestion(digest, rows, isExplained), predict);
  };
  return {
    json: (body) => answer(rowsOfTableJson(body, facts)),
    csv: (bytes) => rowsOfTableCsv(bytes, facts).then(answer),
  };
}

function ofPlain(version: LoadedPlain, { isExplained, watch }: AnsweringOptions): Answering {
  const columns = columnsOf(version);
  if (isExplained) throw tensorsOnly("it cannot be explained");
  return {
    json: (body) => predictPlain(version, rowsOfPlainJson(body, columns), watch),
    csv: () => {
      throw unsupportedMedia("text/csv", ["application/json", LINE_TYPES[0]]);
    },
  };
}

/*
 * Tables: importing their rows, and what was imported.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { FILE_NAME } from "../models/fields.ts";
import { isMarket, type TableFile } from "../models.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import type { TableImport } from "../store/tables.ts";
import { layoutDigest } from "../table/import.ts";
import { iso } from "../types.ts";
import { mediaType, unsupportedMedia } from "./body.ts";
import { exact, limit, pageToken } from "./fields.ts";
import { importAnswer, importsAnswer } from "./import-answers.ts";
import { modelOf } from "./models.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";
import { IMPORT_DEADLINE_MS, streamOf } from "./stream.ts";
import { isoOrNull } from "./views.ts";

const TYPES = ["text/csv", "application/octet-stream"] as const;
const csv = v.pipe(v.string(), v.description("The file as it is: what the model file says of it."));

const NAME_FORM = "expected the name of a file, without a path";
const fileName = v.pipe(
  v.string("is needed: the name of the file"),
  v.regex(FILE_NAME, NAME_FORM),
  v.description("An import of the same name takes the place of the one before."),
);
const part = v.optional(
  v.pipe(
    v.picklist(["train", "test"], "expected train or test"),
    v.description("What its rows are for; absent: what the model file says of the name."),
  ),
);

const idKey = v.tuple([v.pipe(v.number(), v.safeInteger())]);

export const importRoutes: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/admin/models/:model/imports",
    group: "admin",
    tag: "models",
    summary: "Import a file of a table, whole or not at all",
    query: exact({ name: fileName, part }),
    takes: { "text/csv": csv, "application/octet-stream": csv },
    deadlineMs: IMPORT_DEADLINE_MS,
    gives: importAnswer,
    handle: async ({ services, params, query, request, actor }) => {
      const model = tableOf(params.model, services);
      const type = mediaType(request);
      if (!(TYPES as readonly string[]).includes(type)) throw unsupportedMedia(type, TYPES);
      const bytes = streamOf(request);
      // Without a way to end it: a reader that gives up leaves the rest to be drained.
      const source = { [Symbol.asyncIterator]: () => ({ next: () => bytes.next() }) };
      const order = { model, file: query.name, part: query.part ?? null, source, actor };
      try {
        return { ...(await services.imports.take(order)) };
      } catch (thrown) {
        // A client that still sends would be cut off before it could read what was wrong.
        await drain(bytes);
        throw thrown;
      }
    },
  }),
  route({
    method: "GET",
    path: "/v1/models/:model/imports",
    group: "read",
    tag: "models",
    summary: "What was imported for a table, newest first",
    query: exact({ limit: limit(100, 20), before: pageToken }),
    gives: importsAnswer,
    handle: async ({ services, params, query }) => {
      const model = tableOf(params.model, services);
      const before = keysIn(query.before, idKey)?.[0] ?? null;
      const rows = await services.imports.list(model.name, query.limit + 1, before);
      const { items, next } = pageOf(rows, query.limit, (row) => [row.id]);
      const layout = layoutDigest(model);
      return { items: items.map((row) => importView(row, layout)), next };
    },
  }),
];

async function drain(source: AsyncGenerator<Uint8Array>): Promise<void> {
  try {
    for await (const _ of source);
  } catch {
    // What is wrong with the rest is not what was asked.
  }
}

/** The table model of that name; `unknown_model` (404), `not_a_table` (422). */
function tableOf(name: string, services: Pick<HttpServices, "models">): TableFile {
  const model = modelOf(name, services);
  if (!isMarket(model)) return model;
  throw new SluiceError({
    code: "not_a_table",
    status: 422,
    detail: `Model ${name} is of a market: its candles are collected, not imported.`,
    fix: `See sluice collect --market ${model.collect.market}.`,
  });
}

/** An import as the list tells it. Values of cells are told to who imports, not to every reader. */
function importView(row: TableImport, layout: string) {
  const { id, model, file, part, sha256, rows, refused, actor, at, replacedAt } = row;
  const report = row.report as {
    refusals: readonly { reason: string; count: number; lines: readonly number[] }[];
    columns: readonly { name: string; type: string; missing: number; levels: number | null }[];
  };
  return {
    ...{ id, model, file, part, sha256, rows, refused, actor, at: iso(at) },
    replaced_at: isoOrNull(replacedAt),
    outdated: replacedAt === null && row.layout !== layout,
    refusals: report.refusals.map(({ reason, count, lines }) => ({ reason, count, lines })),
    columns: report.columns.map(({ name, type, missing, levels }) => ({
      ...{ name, type, missing, levels },
    })),
  };
}

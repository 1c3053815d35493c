/*
 * Trainings and their files.
 */
import * as v from "valibot";
import { reasonOf, SluiceError } from "../errors.ts";
import { RUN_ID } from "../registry/names.ts";
import type { Run } from "../registry/run-list.ts";
import { runAnswer, runsAnswer } from "./answers.ts";
import { exact, name, page } from "./fields.ts";
import { longAnswer } from "./long.ts";
import { begun } from "./pieces.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";
import { modelOf, runView, wholeRunView } from "./views.ts";

/** How long a client may take nothing of a file. */
const SILENCE_MS = 60_000;

const RUN_FORM = "expected the id of a run";
const runId = v.pipe(
  v.string(RUN_FORM),
  v.regex(RUN_ID, RUN_FORM),
  v.description("The trainings below this one: the trials of its search."),
);

export const runRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/v1/runs",
    group: "read",
    tag: "runs",
    summary: "Trainings, newest first",
    query: exact({ model: v.optional(name), parent: v.optional(runId), ...page }),
    gives: runsAnswer,
    handle: async ({ services, query: { model, parent, limit, before } }) => {
      const filter = {
        ...{ limit, before },
        ...(model === undefined ? {} : { model }),
        ...(parent === undefined ? {} : { parent }),
      };
      const { items, next } = await services.tracking.runs(filter);
      const versionOf = await versionsOf(items, services);
      return { items: items.map((run) => runView(run, versionOf(run))), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:run",
    group: "read",
    tag: "runs",
    summary: "One training with its datasets and files",
    gives: runAnswer,
    handle: async ({ services, params }) => {
      const run = await services.tracking.run(params.run);
      if (run === null) throw unknownRun(params.run);
      return wholeRunView(run, (await versionsOf([run], services))(run));
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:run/artifacts/:path{.+}",
    group: "read",
    tag: "runs",
    summary: "A file of a training",
    gives: "application/octet-stream",
    handle: async ({ services, params }) => {
      const { run, path } = params;
      const pieces = await begun(await services.tracking.readPieces(run, path));
      return longAnswer(pieces, {
        headers: {
          // A page or a picture that somebody logged must not run as one of this server's.
          "content-type": "application/octet-stream",
          "content-disposition": `attachment; filename*=UTF-8''${fileName(path)}`,
          "cache-control": "no-store",
        },
        silenceMs: SILENCE_MS,
        farewell: (thrown) => {
          services.log.warn("download_failed", { run, path, reason: reasonOf(thrown) });
          return null;
        },
      }).response;
    },
  }),
];

/** The number of the version that each run became; one look for each model among them. */
async function versionsOf(runs: readonly Run[], { versions }: HttpServices) {
  const models = [...new Set(runs.flatMap((run) => modelOf(run) ?? []))].filter((model) =>
    v.is(name, model),
  );
  const pages = await Promise.all(
    models.map((model) => versions.versions(model, { limit: 1_000 })),
  );
  const numbers = new Map(
    pages.flatMap(({ items }) => items.map(({ runId, version }) => [runId, version] as const)),
  );
  return (run: Run): number | null => numbers.get(run.runId) ?? null;
}

const fileName = (path: string): string =>
  encodeURIComponent(path.split("/").at(-1) ?? "").replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16)}`,
  );

const unknownRun = (id: string): SluiceError =>
  new SluiceError({
    code: "unknown_run",
    status: 404,
    detail: `There is no run "${id}".`,
    fix: "Look the id up in GET /v1/runs.",
  });

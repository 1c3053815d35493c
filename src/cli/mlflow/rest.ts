/*
 * A running tracking server as a source, by the calls of the protocol.
 */
import pLimit from "p-limit";
import type {
  GivenExperiment,
  GivenModel,
  GivenPoint,
  GivenRun,
  GivenVersion,
} from "../../registry/intake/given.ts";
import type { Json, MlflowClient } from "./client.ts";
import { unreachable } from "./faults.ts";
import {
  experimentOf,
  list,
  loggedOf,
  modelOf,
  object,
  pointOf,
  runOf,
  text,
  versionOf,
} from "./message.ts";
import { makeRestFiles } from "./rest-files.ts";
import type { RunPage, Source } from "./source.ts";

const API = "/api/2.0/mlflow";
/** What every server takes. */
const EXPERIMENTS = 1_000;
const RUNS = 500;
const LOGGED = 50;
const MODELS = 500;
const VERSIONS = 5_000;
/** Runs and points that one call for many histories gives at most. */
const BULK_RUNS = 100;
const BULK_POINTS = 25_000;
const HISTORY = 25_000;
const AT_ONCE = 8;

/** Searches leave prompts out unless they are asked for; a prompt is a model like others. */
const ALL_MODELS = ["", "tags.`mlflow.prompt.is_prompt` = 'true'"];

/** The source over a client; `name` is how reports call it. */
export function makeRestSource(name: string, client: MlflowClient): Source {
  /** Pages of a search, each a message with more or less in it. */
  async function* pages(
    method: "GET" | "POST",
    path: string,
    message: Readonly<Record<string, unknown>>,
  ): AsyncGenerator<Json> {
    let token = "";
    for (;;) {
      const given = { ...message, ...(token === "" ? {} : { page_token: token }) };
      const answer =
        method === "POST"
          ? await client.json("POST", `${API}/${path}`, given)
          : await client.json("GET", `${API}/${path}?${queryOf(given)}`);
      if (answer === null) return;
      yield answer;
      const next = text(answer["next_page_token"]);
      if (next === "") return;
      if (next === token) throw unreachable(path, "its pages do not go on");
      token = next;
    }
  }

  async function experiments(): Promise<GivenExperiment[]> {
    const message = { max_results: EXPERIMENTS, view_type: "ALL" };
    const found = new Map<string, GivenExperiment>();
    let answered = false;
    for await (const page of pages("POST", "experiments/search", message)) {
      answered = true;
      for (const one of list(page["experiments"]).map(experimentOf)) found.set(one.id, one);
    }
    if (!answered) throw unreachable(name, "what listens there is no MLflow server");
    return [...found.values()].toSorted((a, b) => a.created - b.created);
  }

  async function* runs(experimentId: string): AsyncGenerator<RunPage> {
    const message = { experiment_ids: [experimentId], run_view_type: "ALL" };
    const newest = { ...message, max_results: 1, order_by: ["attributes.start_time DESC"] };
    const last = await client.json("POST", `${API}/runs/search`, newest);
    const end = list(last?.["runs"]).map(runOf)[0]?.started;
    if (end === undefined) return;
    const ordered = { ...message, max_results: RUNS, order_by: ["attributes.start_time ASC"] };
    let begin: number | null = null;
    for await (const page of pages("POST", "runs/search", ordered)) {
      const found = list(page["runs"]).map(runOf);
      begin ??= found[0]?.started ?? 0;
      const here = found.at(-1)?.started ?? end;
      yield { runs: found, share: end > begin ? Math.min(1, (here - begin) / (end - begin)) : 1 };
    }
  }

  /** All points of one metric of a run. */
  async function* history(runId: string, key: string): AsyncGenerator<GivenPoint[]> {
    const message = { run_id: runId, metric_key: key, max_results: HISTORY };
    for await (const page of pages("GET", "metrics/get-history", message)) {
      yield list(page["metrics"]).map((metric) => pointOf(runId, metric));
    }
  }

  /** Points of one metric of several runs; null where they are too many for one answer. */
  async function bulk(runIds: readonly string[], key: string): Promise<GivenPoint[] | null> {
    const query = new URLSearchParams({ metric_key: key, max_results: `${BULK_POINTS}` });
    for (const id of runIds) query.append("run_id", id);
    const path = `/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query}`;
    const answer = await client.json("GET", path).catch((thrown) => {
      // Not every server has it, and it has its faults; the one for each run is asked then.
      if (runIds.length > 1) return null;
      throw thrown;
    });
    const points = list(answer?.["metrics"]).map((one) => pointOf(text(one["run_id"]), one));
    const isWhole =
      answer !== null && points.length < BULK_POINTS && points.every(({ key: of }) => of === key);
    return isWhole ? points : null;
  }

  const limit = pLimit(AT_ONCE);

  /** Histories of a metric: of many runs at once, else run by run. */
  async function* pointsOf(key: string, runIds: readonly string[]): AsyncGenerator<GivenPoint[]> {
    const together = runIds.length === 1 ? null : await limit(() => bulk(runIds, key));
    if (together !== null) {
      const known = new Set(runIds);
      yield together.filter(({ runId }) => known.has(runId));
      return;
    }
    if (runIds.length > 2) {
      const half = Math.ceil(runIds.length / 2);
      yield* pointsOf(key, runIds.slice(0, half));
      yield* pointsOf(key, runIds.slice(half));
      return;
    }
    for (const runId of runIds) yield* history(runId, key);
  }

  async function* points(given: readonly GivenRun[]): AsyncGenerator<GivenPoint[]> {
    const byKey = new Map<string, string[]>();
    for (const { id, latest } of given) {
      for (const { key } of latest) byKey.set(key, [...(byKey.get(key) ?? []), id]);
    }
    const asked = [...byKey].flatMap(([key, ids]) =>
      Array.from({ length: Math.ceil(ids.length / BULK_RUNS) }, (_, i) =>
        pointsOf(key, ids.slice(i * BULK_RUNS, (i + 1) * BULK_RUNS)),
      ),
    );
    yield* merged(asked, AT_ONCE);
  }

  async function* logged(experimentId: string) {
    const message = { experiment_ids: [experimentId], max_results: LOGGED };
    for await (const page of pages("POST", "logged-models/search", message)) {
      yield list(page["models"] ?? page["logged_models"]).map(loggedOf);
    }
  }

  async function models(): Promise<GivenModel[]> {
    const found = new Map<string, GivenModel>();
    for (const filter of ALL_MODELS) {
      const message = { max_results: MODELS, ...(filter === "" ? {} : { filter }) };
      for await (const page of pages("GET", "registered-models/search", message)) {
        for (const one of list(page["registered_models"]).map(modelOf)) found.set(one.name, one);
      }
    }
    // Searches do not tell aliases everywhere; this call does.
    return Promise.all(
      [...found.values()].map((model) =>
        limit(async () => {
          const path = `${API}/registered-models/get?${queryOf({ name: model.name })}`;
          const answer = await client.json("GET", path);
          return answer === null ? model : modelOf(object(answer["registered_model"]));
        }),
      ),
    );
  }

  async function versions(): Promise<GivenVersion[]> {
    const found = new Map<string, GivenVersion>();
    for (const filter of ALL_MODELS) {
      const message = { max_results: VERSIONS, ...(filter === "" ? {} : { filter }) };
      for await (const page of pages("GET", "model-versions/search", message)) {
        for (const one of list(page["model_versions"]).map(versionOf)) {
          found.set(`${one.version} ${one.name}`, one);
        }
      }
    }
    return [...found.values()];
  }

  return {
    ...{ name, root: "", left: [], experiments, runs, points, logged, models, versions },
    ...makeRestFiles(client),
    close: async () => {},
  };
}

const queryOf = (message: Readonly<Record<string, unknown>>): URLSearchParams =>
  new URLSearchParams(
    Object.entries(message).map(([name, value]): [string, string] => [name, text(value)]),
  );

/** What several generators give, so many of them at once, in the order in which it comes. */
async function* merged<Item>(
  sources: readonly AsyncGenerator<Item>[],
  atOnce: number,
): AsyncGenerator<Item> {
  const waiting = [...sources];
  const under = new Map<
    AsyncGenerator<Item>,
    Promise<readonly [AsyncGenerator<Item>, IteratorResult<Item>]>
  >();
  const step = (source: AsyncGenerator<Item>) => {
    const next = source.next().then((result) => [source, result] as const);
    // Nobody may be there any more when it fails.
    next.catch(() => {});
    under.set(source, next);
  };
  for (;;) {
    while (under.size < atOnce && waiting.length > 0) step(waiting.shift()!);
    if (under.size === 0) return;
    const [source, result] = await Promise.race(under.values());
    under.delete(source);
    if (result.done === true) continue;
    step(source);
    yield result.value;
  }
}

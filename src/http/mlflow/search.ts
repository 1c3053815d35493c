/*
 * Searches over the protocol.
 */
import { bool, choice, count, list, type Message, message, needed, text } from "./message.ts";
import { loggedView, registeredView, versionView } from "./model-views.ts";
import { type Rpc, type RpcCall, rpc } from "./route.ts";
import { experimentView, runView, some } from "./views.ts";

/** How many there are at most where nothing is said. */
const RUNS = 1_000;
const MODELS = 100;
const VERSIONS = 10_000;
const LOGGED = 50;

const paged = { filter: text, max_results: count, page_token: text };
const ordered = { ...paged, order_by: list(text) };
const view = choice({ ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 });

const experimentSearch = {
  role: "read",
  path: "experiments/search",
  takes: { ...ordered, view_type: view },
} as const;

async function experimentsFound(
  { filter, max_results, order_by, page_token, view_type }: Message<typeof experimentSearch.takes>,
  { mlflow }: RpcCall,
) {
  const { experiments, next } = await mlflow.search.experiments({
    filter,
    view: view_type,
    // Its clients always say how many.
    limit: max_results ?? 0,
    orderBy: order_by,
    token: page_token,
  });
  return { experiments: some(experiments.map(experimentView)), next_page_token: next };
}

export const searchRpcs: readonly Rpc[] = [
  rpc({ ...experimentSearch, method: "POST", answer: experimentsFound }),
  rpc({ ...experimentSearch, method: "GET", answer: experimentsFound }),
  rpc({
    method: "POST",
    role: "read",
    path: "runs/search",
    takes: { ...ordered, experiment_ids: list(text), run_view_type: view },
    answer: async (
      { experiment_ids, filter, run_view_type, max_results = RUNS, order_by, page_token },
      { mlflow },
    ) => {
      const { runs, next } = await mlflow.search.runs({
        experimentIds: experiment_ids,
        filter,
        view: run_view_type,
        limit: max_results,
        orderBy: order_by,
        token: page_token,
      });
      return { runs: some(runs.map(runView)), next_page_token: next };
    },
  }),
  rpc({
    method: "GET",
    role: "read",
    path: "registered-models/search",
    takes: ordered,
    answer: async ({ filter, max_results = MODELS, order_by, page_token }, { mlflow }) => {
      const { models, next } = await mlflow.search.models({
        filter,
        limit: max_results,
        orderBy: order_by,
        token: page_token,
      });
      return { registered_models: some(models.map(registeredView)), next_page_token: next };
    },
  }),
  rpc({
    method: "GET",
    role: "read",
    path: "model-versions/search",
    takes: ordered,
    answer: async ({ filter, max_results = VERSIONS, order_by, page_token }, { mlflow }) => {
      const { versions, next } = await mlflow.search.versions({
        filter,
        limit: max_results,
        orderBy: order_by,
        token: page_token,
      });
      return { model_versions: some(versions.map(versionView)), next_page_token: next };
    },
  }),
  rpc({
    method: "POST",
    role: "read",
    path: "logged-models/search",
    takes: {
      ...paged,
      experiment_ids: list(text),
      datasets: list(message({ dataset_name: needed(text), dataset_digest: text })),
      order_by: list(
        message({
          field_name: needed(text),
          ascending: bool,
          dataset_name: text,
          dataset_digest: text,
        }),
      ),
    },
    answer: async (
      { experiment_ids, filter, datasets, max_results = LOGGED, order_by, page_token },
      { mlflow },
    ) => {
      const { models, next } = await mlflow.search.logged({
        experimentIds: experiment_ids,
        filter,
        datasets: datasets.map((each) => datasetOf(each)),
        limit: max_results,
        orderBy: order_by.map(({ field_name, ascending, ...of }) => ({
          field: field_name,
          ascending,
          dataset: of.dataset_name || of.dataset_digest ? datasetOf(of) : undefined,
        })),
        token: page_token,
      });
      return { models: some(models.map(loggedView)), next_page_token: next };
    },
  }),
];

/** An empty digest counts as none: it stands for every state of the dataset. */
const datasetOf = (of: {
  readonly dataset_name: string | undefined;
  readonly dataset_digest: string | undefined;
}) => ({ name: of.dataset_name ?? "", digest: of.dataset_digest || undefined });

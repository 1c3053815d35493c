/*
 * Logged models of a running tracking server. Its search leaves out what is deleted; a model that a
 * run names is given by its id all the same, to whoever asks for deleted ones (MLflow 3.11 does).
 */
import type { GivenLogged, GivenRun } from "../../../registry/intake/given.ts";
import type { Json, MlflowClient } from "../client.ts";
import { list, loggedOf, object, text } from "../message.ts";
import { API, type Pages } from "./pages.ts";

const PAGE = 50;

interface Fetched {
  readonly experimentId: string;
  readonly model: GivenLogged;
}

/** Reads logged models; `noted` is told of the runs that were read before. */
export function makeRestLogged(client: MlflowClient, pages: Pages) {
  /** Those that runs name, by the experiment of the runs. */
  const named = new Map<string, Set<string>>();
  const seen = new Set<string>();
  /** Named ones that were asked for by their ids; null for one that the server does not tell of. */
  const asked = new Map<string, Fetched | null>();

  async function fetched(id: string): Promise<Fetched | null> {
    const path = `${API}/logged-models/${encodeURIComponent(id)}?allow_deleted=true`;
    const answer = await client.json("GET", path);
    const model: Json = object(answer?.["model"]);
    const { experiment_id, model_id } = object(model["info"]);
    if (text(model_id) !== id) return null;
    return { experimentId: text(experiment_id), model: { ...loggedOf(model), stage: "deleted" } };
  }

  return {
    noted: (experimentId: string, runs: readonly GivenRun[]): void => {
      const here = named.get(experimentId) ?? new Set();
      named.set(experimentId, here);
      for (const { inputModels, outputModels } of runs) {
        for (const id of inputModels) here.add(id);
        for (const { id } of outputModels) here.add(id);
      }
    },

    /** Those of an experiment whose runs, and those of all that name its models, are noted. */
    logged: async function* (experimentId: string): AsyncGenerator<GivenLogged[]> {
      const message = { experiment_ids: [experimentId], max_results: PAGE };
      for await (const page of pages("POST", "logged-models/search", message)) {
        const found = list(page["models"] ?? page["logged_models"]).map(loggedOf);
        for (const { id } of found) seen.add(id);
        yield found;
      }
      for (const id of named.get(experimentId) ?? []) {
        if (!seen.has(id) && !asked.has(id)) asked.set(id, await fetched(id));
      }
      // A run of another experiment may have named one of this.
      for (const [id, found] of asked) {
        if (seen.has(id) || found?.experimentId !== experimentId) continue;
        seen.add(id);
        yield [found.model];
      }
    },

    /** How many runs name that the server does not tell of. */
    untold: (): number => [...asked.keys()].filter((id) => !seen.has(id)).length,
  };
}

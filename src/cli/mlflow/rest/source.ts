/*
 * A running tracking server as a source, by the calls of the protocol.
 */
import pLimit from "p-limit";
import type {
  GivenExperiment,
  GivenLogged,
  GivenModel,
  GivenVersion,
} from "../../../registry/intake/given.ts";
import { IS_PROMPT } from "../../../registry/search/prompts.ts";
import type { MlflowClient } from "../client.ts";
import { unreachable } from "../faults.ts";
import { experimentOf, list, modelOf, object, runOf, versionOf } from "../message.ts";
import type { RunPage, Source } from "../source.ts";
import type { Note } from "../tally.ts";
import { makeRestFiles } from "./files.ts";
import { makeRestLogged } from "./logged.ts";
import { API, makePages, queryOf } from "./pages.ts";
import { makeRestPoints } from "./points.ts";

/** What every server takes. */
const EXPERIMENTS = 1_000;
const RUNS = 500;
const MODELS = 500;
const VERSIONS = 5_000;
const AT_ONCE = 8;
/** Missing versions that are told by name. */
const TOLD = 10;

/** Searches leave prompts out unless they are asked for; a prompt is a model like others. */
const ALL_MODELS = ["", `tags.\`${IS_PROMPT}\` = 'true'`];

/** The source over a client; `name` is how reports call it. */
export function makeRestSource(name: string, client: MlflowClient): Source {
  const limit = pLimit(AT_ONCE);
  const pages = makePages(client);
  const { noted, untold, logged: loggedPages } = makeRestLogged(client, pages);
  const { forget, ...files } = makeRestFiles(client);

  async function* logged(experimentId: string): AsyncGenerator<readonly GivenLogged[]> {
    for await (const page of loggedPages(experimentId)) {
      forget();
      yield page;
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
    const [newestRun] = list(last?.["runs"]).map(runOf);
    if (newestRun === undefined) return;
    const end = Number(newestRun.started);
    const ordered = { ...message, max_results: RUNS, order_by: ["attributes.start_time ASC"] };
    let begin: number | null = null;
    for await (const page of pages("POST", "runs/search", ordered)) {
      const found = list(page["runs"]).map(runOf);
      begin ??= Number(found[0]?.started ?? 0);
      const here = Number(found.at(-1)?.started ?? end);
      noted(experimentId, found);
      // What is done when it is given has its files by now, and may not have had them before.
      forget();
      yield { runs: found, share: end > begin ? Math.min(1, (here - begin) / (end - begin)) : 1 };
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

  let gaps: ReturnType<typeof gapsIn> = { count: 0, first: [] };
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
    gaps = gapsIn([...found.values()]);
    return [...found.values()];
  }

  return {
    ...{ name, root: "", left: [], experiments, runs, logged, models, versions },
    ...files,
    points: makeRestPoints(client, pages),
    unseen: () => unseenOf(untold(), gaps),
    close: async () => {},
  };
}

/** Numbers of versions below a later one that are not told of any more. */
function gapsIn(versions: readonly GivenVersion[]): { count: number; first: string[] } {
  let count = 0;
  const first: string[] = [];
  for (const [name, some] of Map.groupBy(versions, ({ name }) => name)) {
    const there = new Set(some.map(({ version }) => version));
    const last = some.reduce((most, { version }) => Math.max(most, version), 0);
    count += last - there.size;
    for (let number = 1; number < last && first.length < TOLD; number++) {
      if (!there.has(number)) first.push(`${name} ${number}`);
    }
  }
  return { count, first };
}

/** What no call tells of, with counts as far as they can be made out of what is told. */
function unseenOf(models: number, gaps: ReturnType<typeof gapsIn>): Note[] {
  const names = [...gaps.first, ...(gaps.count > gaps.first.length ? ["…"] : [])].join(", ");
  return [
    {
      what: "deleted versions",
      why:
        gaps.count === 0
          ? "no number is missing, which does not tell of the last ones"
          : `${gaps.count} (${names}), and maybe the last ones`,
    },
    {
      what: "deleted logged models",
      why:
        models === 0
          ? "no run names one, which does not tell of those that none does"
          : `${models} that runs name, and maybe others`,
    },
  ];
}

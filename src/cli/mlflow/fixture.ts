/*
 * For the tests of imports: a Sluice that is read from over the wire, with some of everything in it,
 * another one to bring that into, and all that can be seen of either.
 */

import { openTracked, type Tracked } from "../../http/mlflow/testing.ts";
import { makeTestApp } from "../../http/testing.ts";
import { makeIntake } from "../../registry/intake/intake.ts";
import { foreignBytes } from "../../serve/fixture.ts";
import { sha256 } from "../../store/objects.ts";
import { openScratch, type TestDatabase } from "../../store/testing.ts";
import { type Candidate, type CarryOptions, carry } from "./carry/carry.ts";
import { makeMlflowClient } from "./client.ts";
import { makeRestSource } from "./rest/source.ts";
import type { Source } from "./source.ts";
import { makeTally, type Report } from "./tally.ts";

const PROXY = "/api/2.0/mlflow-artifacts/artifacts";
export const SOURCE_TOKEN = "sluice_for_the_tests_of_imports";

/** Names that an address has to be made of with care. */
export const ODD_NAMES = [
  ...[
    "with space.txt",
    "ünïcode ✓.txt",
    "100%.txt",
    "q?x=1&y.txt",
    "plus+and;semi.txt",
    "a%20b.txt",
  ],
  "deep/er/file.bin",
];

/** What stands between: an answer of its own, or null to let the request through. */
export type Between = (request: Request) => Response | null | Promise<Response | null>;

export interface Wire {
  readonly tracked: Tracked;
  readonly url: string;
  /** Set by a test that wants the server to fail. */
  between: Between;
  /** Changes an answer on its way. */
  after: (response: Response, request: Request) => Response | Promise<Response>;
  readonly asked: Request[];
  /** A source over the wire. */
  source(): Source;
  close(): Promise<void>;
}

/** An empty Sluice that listens. */
export async function openWire(): Promise<Wire> {
  const tracked = await openTracked({ name: "source", open: openScratch });
  const { app } = makeTestApp({ services: () => tracked.services });
  const asked: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      asked.push(request);
      const own = await wire.between(request);
      return own ?? wire.after(await app.fetch(request), request);
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const wire: Wire = {
    ...{ tracked, url, asked, between: () => null, after: (response) => response },
    source: () =>
      makeRestSource(
        url,
        makeMlflowClient({ url, authorization: `Bearer ${SOURCE_TOKEN}`, waitMs: 1 }),
      ),
    close: async () => {
      await server.stop(true);
      await tracked.close();
    },
  };
  return wire;
}

/** Brings a source into a Sluice. */
export async function bring(
  source: Source,
  to: Tracked,
  options: CarryOptions = {},
): Promise<{ report: Report; candidates: Candidate[] }> {
  const { database, objects, clock } = to;
  const intake = makeIntake({ database, objects, clock, check: async () => {} });
  const tally = makeTally(source.name);
  const candidates = await carry(source, intake, tally, options);
  tally.hidden(source.unseen?.() ?? []);
  return { report: tally.report(), candidates };
}

/** An empty Sluice to bring into. */
export const openTarget = (on: TestDatabase): Promise<Tracked> => openTracked(on);

const KEPT = { "content-type": "application/octet-stream" };

export async function putFile(at: Tracked, uri: string, path: string, bytes: Uint8Array | string) {
  const whole = `${uri.replace("mlflow-artifacts:/", "")}/${path}`;
  const address = whole.split("/").map(encodeURIComponent).join("/");
  const body = typeof bytes === "string" ? bytes : (bytes as Uint8Array<ArrayBuffer>);
  const answer = await at.ask("PUT", `${PROXY}/${address}`, {
    raw: [KEPT["content-type"], body],
  });
  if (answer.status !== 200) throw new Error(`${whole}: ${answer.text}`);
}

/** Logs some of everything; ids of what tests ask for again. */
export async function fill(at: Tracked) {
  const { post, clock } = at;
  const experiment = async (name: string) => {
    clock.at += 1_000;
    const tags = [{ key: "team", value: name }];
    return (await post("experiments/create", { name, tags })).experiment_id as string;
  };
  const run = async (experiment_id: string, run_name: string) => {
    clock.at += 1_000;
    const made = await post("runs/create", {
      ...{ experiment_id, run_name, user_id: "ada", start_time: clock.at },
      tags: [{ key: "empty", value: "" }],
    });
    return made.run.info as { run_id: string; artifact_uri: string };
  };
  const first = await experiment("first");
  const main = await run(first, "main");
  const steps = Array.from({ length: 600 }, (_, i) => ({
    ...{ key: `loss ${i % 3}`, value: Math.sin(i), timestamp: 1_000 + (i % 50), step: i - 7 },
  }));
  await post("runs/log-batch", {
    run_id: main.run_id,
    params: Array.from({ length: 60 }, (_, i) => ({ key: `p/${i}`, value: `"${i}" \\ ü` })),
    metrics: [
      ...steps,
      { key: "odd", value: "NaN", timestamp: 5, step: 1 },
      { key: "odd", value: "-Infinity", timestamp: 5, step: 0 },
      { key: "odd", value: 2, timestamp: 4, step: 1 },
    ],
  });
  const dataset = { name: "rows", digest: "d1", source_type: "local", source: "{}", schema: "{}" };
  const context = [{ key: "mlflow.data.context", value: "training" }];
  await post("runs/log-inputs", { run_id: main.run_id, datasets: [{ dataset, tags: context }] });
  for (const name of ODD_NAMES) await putFile(at, main.artifact_uri, name, `in ${name}`);
  await putFile(at, main.artifact_uri, "empty", "");
  await putFile(at, main.artifact_uri, "large.bin", new Uint8Array(300_000).fill(7));
  await post("runs/update", { run_id: main.run_id, status: "FINISHED", end_time: clock.at + 5 });
  const live = await run(first, "live");
  await post("runs/log-metric", { run_id: live.run_id, key: "loss 0", value: 1, timestamp: 9 });
  const gone = await run(first, "gone");
  await putFile(at, gone.artifact_uri, "note.txt", "of a deleted run");
  await post("runs/delete", { run_id: gone.run_id });
  const away = await experiment("away");
  await run(away, "in the deleted one");
  await post("experiments/delete", { experiment_id: away });
  const plain = await run("0", "in Default");

  const model = async (name: string) =>
    (
      await post("logged-models", {
        ...{ experiment_id: first, name, source_run_id: main.run_id, model_type: "onnx" },
        params: [{ key: "depth", value: "3" }],
        tags: [{ key: "kind", value: "adds" }],
      })
    ).model.info as { model_id: string; artifact_uri: string };
  const logged = await model("adds-two");
  await putFile(at, logged.artifact_uri, "model.onnx", foreignBytes(2));
  await putFile(at, logged.artifact_uri, "data/notes.txt", "beside it");
  const { ask } = at;
  await ask("PATCH", `/api/2.0/mlflow/logged-models/${logged.model_id}`, {
    body: { model_id: logged.model_id, status: "LOGGED_MODEL_READY" },
  });
  await post("runs/outputs", {
    ...{ run_id: main.run_id, models: [{ model_id: logged.model_id, step: 4 }] },
  });
  await post("runs/log-inputs", {
    ...{ run_id: live.run_id, models: [{ model_id: logged.model_id }] },
  });
  await post("runs/log-metric", {
    ...{ run_id: live.run_id, key: "fit", value: 0.5, timestamp: 3, model_id: logged.model_id },
    ...{ dataset_name: "rows", dataset_digest: "d1" },
  });
  const goneModel = await model("gone");
  await putFile(at, goneModel.artifact_uri, "note.txt", "of a deleted model");
  await post("runs/outputs", {
    run_id: main.run_id,
    models: [{ model_id: goneModel.model_id, step: 0 }],
  });
  await ask("DELETE", `/api/2.0/mlflow/logged-models/${goneModel.model_id}`);
  await putFile(at, plain.artifact_uri, "model/model.onnx", foreignBytes(3));
  clock.at += 1_000;
  await post("registered-models/create", {
    ...{ name: "adds", description: "adds numbers", tags: [{ key: "owner", value: "ada" }] },
  });
  const version = async (name: string, source: string, run_id?: string) => {
    clock.at += 1_000;
    await post("model-versions/create", {
      ...{ name, source, run_id, tags: [{ key: "quality", value: "good" }] },
    });
  };
  await version("adds", `models:/${logged.model_id}`, main.run_id);
  await version("adds", `${plain.artifact_uri}/model`, plain.run_id);
  await version("adds", `runs:/${plain.run_id}/model`, plain.run_id);
  await version("adds", "models:/adds/2");
  await version("adds", "s3://elsewhere/model");
  await ask("DELETE", "/api/2.0/mlflow/model-versions/delete", {
    body: { name: "adds", version: "3" },
  });
  await post("model-versions/transition-stage", { name: "adds", version: "2", stage: "Staging" });
  const alias = (name: string, alias: string, version: string) =>
    post("registered-models/alias", { name, alias, version });
  await alias("adds", "blue", "2");
  await alias("adds", "red", "5");
  return { first, main, live, gone, plain, logged, goneModel };
}

// biome-ignore lint/suspicious/noExplicitAny: what is seen is compared whole.
type Seen = Record<string, any>;

/** Everything that clients see, by names that do not depend on the server. */
export async function see(at: Tracked): Promise<Seen> {
  const { get, post } = at;
  const all = { max_results: 1_000 };
  const { experiments } = await post("experiments/search", { ...all, view_type: "ALL" });
  // biome-ignore lint/suspicious/noExplicitAny: answers of the protocol.
  const names = new Map(experiments.map((one: any) => [one.experiment_id, one.name]));
  // biome-ignore lint/suspicious/noExplicitAny: answers of the protocol.
  const own = (tags: any[] = []) => tags.filter(({ key }) => !key.startsWith("sluice."));
  const filesAt = async (uri: string): Promise<Record<string, string>> => {
    const files = (await at.services.mlflow.files.allAt(uri)) ?? [];
    return Object.fromEntries(
      await Promise.all(
        files.map(async ({ path, digest }) => [path, sha256(await at.objects.get(digest))]),
      ),
    );
  };
  const { runs } = await post("runs/search", {
    ...{ ...all, experiment_ids: [...names.keys()], run_view_type: "ALL" },
  });
  const logged = await post("logged-models/search", { experiment_ids: [...names.keys()] });
  const models = (await get("registered-models/search")).registered_models ?? [];
  const versions = (await get("model-versions/search", { max_results: "1000" })).model_versions;
  const seen: Seen = { experiments: {}, runs: {}, logged: {}, models: {}, versions: {} };
  for (const { experiment_id, artifact_location, tags, ...rest } of experiments) {
    const isDefault = rest.name === "Default";
    seen["experiments"][rest.name] = isDefault ? {} : { ...rest, tags: own(tags) };
  }
  for (const { info, data, ...rest } of runs) {
    const { experiment_id, artifact_uri, ...facts } = info;
    const histories: Seen = {};
    for (const { key } of data.metrics ?? []) {
      const query = { run_id: info.run_id, metric_key: key };
      histories[key] = (await get("metrics/get-history", query)).metrics;
    }
    seen["runs"][info.run_id] = {
      ...{ ...rest, ...data, facts, histories, tags: own(data.tags) },
      experiment: names.get(experiment_id),
      files: await filesAt(artifact_uri),
    };
  }
  for (const { info, data } of logged.models ?? []) {
    const { experiment_id, artifact_uri, tags, ...facts } = info;
    const files = await filesAt(artifact_uri);
    seen["logged"][info.model_id] = {
      ...{ facts, data, files, tags: own(tags), experiment: names.get(experiment_id) },
    };
  }
  for (const { latest_versions, last_updated_timestamp, ...model } of models) {
    seen["models"][model.name] = model;
  }
  for (const { tags, source, last_updated_timestamp, ...version } of versions ?? []) {
    const where = { name: version.name, version: version.version };
    const { artifact_uri } = await get("model-versions/get-download-uri", where);
    seen["versions"][`${version.name} ${version.version}`] = {
      ...{ ...version, tags: own(tags), files: await filesAt(artifact_uri) },
    };
  }
  return seen;
}

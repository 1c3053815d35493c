/*
 * A training as clients of MLflow see it: asked over their protocol alone, as they ask.
 */
import { expect } from "bun:test";
import { inflateSync } from "node:zlib";
import type { Served } from "./served.ts";

const API = "/api/2.0/mlflow";

interface Pair {
  readonly key: string;
  readonly value: string;
}
interface Point {
  readonly key: string;
  readonly value: number;
  readonly step: number;
}
interface Entry {
  readonly path: string;
  readonly is_dir: boolean;
  readonly file_size?: number;
}

/** A run with its inputs; tags and params by key. */
export async function trackedRun(app: Served, id: string) {
  const { run } = await app.get<{
    readonly run: {
      readonly info: { readonly status: string; readonly experiment_id: string };
      readonly data: {
        readonly metrics: readonly Point[];
        readonly params: readonly Pair[];
        readonly tags: readonly Pair[];
      };
      readonly inputs: {
        readonly dataset_inputs: readonly {
          readonly tags: readonly Pair[];
          readonly dataset: Readonly<Record<string, string>>;
        }[];
      };
      readonly outputs?: {
        readonly model_outputs: readonly { readonly model_id: string; readonly step?: number }[];
      };
    };
  }>(`${API}/runs/get?run_id=${id}`);
  const byKey = (pairs: readonly Pair[]): Record<string, string> =>
    Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  return {
    status: run.info.status,
    metrics: Object.fromEntries(run.data.metrics.map(({ key, value }) => [key, value])),
    params: byKey(run.data.params),
    tags: byKey(run.data.tags),
    inputs: run.inputs.dataset_inputs.map(({ tags, dataset }) => ({
      context: byKey(tags)["mlflow.data.context"],
      ...{ name: dataset["name"], digest: dataset["digest"] },
      columns: JSON.parse(dataset["schema"] ?? "{}").mlflow_colspec as { name: string }[],
      rows: JSON.parse(dataset["profile"] ?? "{}").num_rows as number,
      source: JSON.parse(dataset["source"] ?? "{}") as object,
    })),
    outputs: run.outputs?.model_outputs ?? [],
  };
}

/** The runs that made the logged models of an experiment, one a model, in order. */
export async function madeBy(app: Served, experiment: string): Promise<string[]> {
  const named = `experiments/get-by-name?experiment_name=${experiment}`;
  const { experiment: found } = await app.get<{ experiment: { experiment_id: string } }>(
    `${API}/${named}`,
  );
  const asked = { experiment_ids: [found.experiment_id], max_results: 1_000 };
  const { models = [] } = await app.post<{ models?: { info: { source_run_id: string } }[] }>(
    `${API}/logged-models/search`,
    asked,
  );
  return models.map(({ info }) => info.source_run_id).sort();
}

/** Every point of a metric, in order of steps. */
export async function historyOf(app: Served, id: string, key: string): Promise<Point[]> {
  const path = `${API}/metrics/get-history?run_id=${id}&metric_key=${key}&max_results=25000`;
  const { metrics = [] } = await app.get<{ metrics?: Point[] }>(path);
  return metrics.toSorted((a, b) => a.step - b.step);
}

/** Every file of a run, folder by folder as a client walks them. */
export async function filesOf(app: Served, id: string, folder = ""): Promise<string[]> {
  const { files = [] } = await app.get<{ files?: Entry[] }>(
    `${API}/artifacts/list?run_id=${id}&path=${folder}`,
  );
  const below = files.map(({ path, is_dir }) => (is_dir ? filesOf(app, id, path) : [path]));
  return (await Promise.all(below)).flat();
}

/** A file of a run. */
export async function fileOf(app: Served, id: string, path: string): Promise<Uint8Array> {
  const answer = await app.fetch(`/get-artifact?run_id=${id}&path=${encodeURIComponent(path)}`);
  expect(answer.status).toBe(200);
  return new Uint8Array(await answer.arrayBuffer());
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/**
 * What the run of every training has, of a market or of a table: the way back to its pipeline run,
 * inputs with schema and profile, a learning curve, the model as a folder and as a logged model,
 * reports, and each plot as two files that can be looked at.
 */
export async function expectWhole(
  app: Served,
  id: string,
  model: string,
  plots: readonly string[],
) {
  const run = await trackedRun(app, id);
  expect(run.status).toBe("FINISHED");
  const { tags, metrics } = run;
  const of = `/admin/pipelines/${model}/runs/${tags["sluice.pipeline_run"]}`;
  expect((await app.fetch(of)).status).toBe(200);
  expect(tags["mlflow.note.content"]!.length).toBeGreaterThan(30);
  expect(tags).toMatchObject({
    "sluice.model": model,
    "sluice.version": expect.stringMatching(/^\d+\.\d+/),
    "sluice.dataset_digest": expect.stringMatching(/^[0-9a-f]{64}$/),
    "mlflow.source.name": `models/${model}.toml`,
    "mlflow.source.type": "JOB",
    "mlflow.user": "sluice",
  });

  for (const { name, digest, columns, rows } of run.inputs) {
    expect([name, digest?.length]).toEqual([model, 36]);
    expect(rows).toBeGreaterThan(0);
    expect(columns.length).toBeGreaterThan(1);
  }
  expect(new Set(run.inputs.map(({ digest }) => digest)).size).toBe(run.inputs.length);

  const curve = await historyOf(app, id, "validation_loss");
  expect(curve.length).toBeGreaterThan(5);
  expect(curve.map(({ step }) => step)).toEqual(curve.map((_, round) => round));
  const least = Math.min(...curve.map(({ value }) => value));
  expect(metrics["best_validation_loss"]).toBe(least);
  expect(curve[metrics["best_round"]!]!.value).toBe(least);

  const files = await filesOf(app, id);
  expect(files.filter((path) => path.startsWith("plots/")).sort()).toEqual(
    plots.flatMap((name) => [`plots/${name}.png`, `plots/${name}.svg`]).sort(),
  );
  const wanted = ["MLmodel", "model.onnx", "requirements.txt"].map((name) => `model/${name}`);
  const others = ["model.onnx", "report.html", "report.json", "training.json"];
  expect(files).toEqual(expect.arrayContaining([...wanted, ...others]));
  const file = (path: string) => fileOf(app, id, path);
  expect(await file("model/model.onnx")).toEqual(await file("model.onnx"));
  const described = Bun.YAML.parse(textOf(await file("model/MLmodel")));
  expect(described).toMatchObject({
    flavors: { onnx: { data: "model.onnx" }, python_function: { loader_module: "mlflow.onnx" } },
    run_id: id,
    model_id: await expectLogged(app, id, model, run),
  });
  expect(JSON.parse(textOf(await file("report.json"))).about.run).toBe(id);
  expect(textOf(await file("report.html"))).toContain("Learning curve");
  expectPicture(await file("plots/learning_curve.png"));
  const svg = textOf(await file("plots/learning_curve.svg"));
  expect(svg).toStartWith("<svg xmlns=");
  return run;
}

/** The one logged model that the run made, whose files are the folder: its id. */
async function expectLogged(
  app: Served,
  id: string,
  name: string,
  { metrics, inputs, outputs }: Awaited<ReturnType<typeof trackedRun>>,
): Promise<string> {
  expect(outputs).toHaveLength(1);
  const modelId = outputs[0]!.model_id;
  const { model } = await app.get<{
    readonly model: {
      readonly info: object;
      readonly data: { readonly metrics: readonly (Point & Record<string, unknown>)[] };
    };
  }>(`${API}/logged-models/${modelId}`);
  expect(model.info).toMatchObject({
    ...{ name, status: "LOGGED_MODEL_READY", source_run_id: id },
    registrations: [{ name }],
  });
  const of = encodeURIComponent(`run_id = '${id}'`);
  expect(await app.get(`${API}/model-versions/search?filter=${of}`)).toMatchObject({
    model_versions: [{ name, model_id: modelId, source: `runs:/${id}/model` }],
  });
  expect(model.data.metrics.length).toBeGreaterThan(3);
  const digests = inputs.map(({ digest }) => digest);
  for (const { key, value, run_id, dataset_digest } of model.data.metrics) {
    expect([key, metrics[key], run_id]).toEqual([key, value, id]);
    expect(digests).toContain(dataset_digest as string);
  }
  const { files } = await app.get<{ files: Entry[] }>(
    `${API}/logged-models/${modelId}/artifacts/directories`,
  );
  expect(files.map(({ path }) => path)).toEqual(["MLmodel", "model.onnx", "requirements.txt"]);
  return modelId;
}

/** A PNG whose rows are whole, and not all of one colour. */
function expectPicture(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const at = Buffer.from(bytes).indexOf("IDAT");
  const rows = inflateSync(bytes.subarray(at + 4, at + 4 + view.getUint32(at - 4)));
  expect([width + 1, 3 * width + 1]).toContain(rows.length / height);
  expect(new Set(rows).size).toBeGreaterThan(10);
}

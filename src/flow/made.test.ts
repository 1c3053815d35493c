import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { makeFiles } from "../registry/files.ts";
import { bytesOf, openRegistry, type TestRegistry } from "../registry/fixture.ts";
import { makeHistories } from "../registry/histories.ts";
import { makeMlflow } from "../registry/mlflow.ts";
import { makeServable } from "../registry/servable.ts";
import { makeTrainings } from "../registry/trainings.ts";
import type { Version } from "../registry/version-rows.ts";
import { foreignBytes } from "../serve/fixture.ts";
import { makePipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { UNIT_MS } from "../types.ts";
import { colspec, digestOfRows, profileOf, type RunInput } from "./inputs.ts";
import { logTraining, registerMade } from "./made.ts";
import { roundPoints, wholePoints } from "./points.ts";
import { recordRun } from "./record.ts";
import { plotFiles, sendPlots, textFile } from "./run-files.ts";

const AT = Date.UTC(2025, 5, 1);
const TOOK_MS = 90_000;
const DIGEST = "ab".repeat(32);
const FOLDER = ["model/MLmodel", "model/model.onnx", "model/requirements.txt"];

const inputOf = (context: RunInput["context"], rows: readonly number[]): RunInput => ({
  context,
  dataset: {
    name: "pay",
    digest: digestOfRows(DIGEST, Int32Array.from(rows)),
    ...{ sourceType: "sluice_table", source: "{}", markets: null },
    schema: colspec([{ name: "age", type: "float", required: false }]),
    profile: profileOf(rows.length, 1),
    ...{ firstSlot: null, lastSlot: null, asOf: AT },
  },
});

describe.each(testDatabases())("what a training made, on $name", (on) => {
  let registry: TestRegistry;
  let slot = UNIT_MS;
  beforeAll(async () => {
    registry = await openRegistry(on);
  });
  afterAll(() => registry.close());

  /** Records a training of a pipeline run of its own. */
  async function recorded(name: string, number: number, guard = async () => {}) {
    const { tracking, versions, database } = registry;
    const runs = makePipelineRuns(database, { now: () => AT });
    slot += UNIT_MS;
    const { run } = await runs.request({ pipeline: name, slot, kind: "slot" }, ["train"]);
    const losses = Array.from({ length: 1_000 }, (_, round) => ({ round, loss: 1 / (1 + round) }));
    const of = { model: name, name: `${name} ${number}`, pipelineRunId: run.id };
    let runId = "";
    const recording = recordRun({ ...of, startedAt: AT - TOOK_MS }, tracking, async (open) => {
      runId = open.runId;
      const made = {
        ...{ runId, artifact: foreignBytes(number), at: AT, summary: "Better than nothing." },
        type: "binary",
        ...{ datasetDigest: DIGEST, params: { seed: 7 } },
        points: [
          ...wholePoints({ log_loss: 0.4, mcc: Number.NaN }, "test"),
          ...wholePoints({ parity_max_difference: 0 }),
          ...roundPoints({ validation: losses, train: losses, best: losses.at(-1)! }),
        ],
        inputs: [inputOf("training", [0, 2]), inputOf("test", [1])],
        files: [
          textFile("report.html", `page of ${name} ${number}`),
          ...plotFiles(sendPlots([{ name: "roc", svg: "<svg/>", png: bytesOf("png") }])),
        ],
      };
      await logTraining(made, tracking);
      return registerMade(name, made, guard, versions);
    });
    const version = await recording.then(
      (done) => done.version,
      (thrown: Error) => thrown,
    );
    return { runId, pipelineRunId: run.id, version };
  }

  /** The registry as clients of the protocol have it. */
  const clients = () => {
    const { database, objects, clock } = registry;
    return makeMlflow({
      ...{ database, objects, clock },
      check: async () => {},
      onMoved: async () => {},
    });
  };
  const outputsOf = async (runId: string) =>
    (await clients().runData([runId]))[0]?.outputModels ?? null;

  async function expectNoModel(runId: string) {
    const code = await clients()
      .logged.logged(`m-${runId}`, true)
      .then(
        () => "there",
        (thrown: { code?: string }) => thrown.code,
      );
    expect([code, (await outputsOf(runId)) ?? []]).toEqual(["does_not_exist", []]);
  }

  const pathsOf = async (runId: string) =>
    (await registry.tracking.artifacts(runId)).map(({ path }) => path).sort();

  test("is a run with points, inputs, files and tags, and a version that has a folder", async () => {
    const { runId, pipelineRunId, version } = await recorded("whole", 1);
    const run = (await registry.tracking.run(runId))!;
    expect([run.status, run.startTime]).toEqual(["FINISHED", AT - TOOK_MS]);
    expect(run.tags["sluice.pipeline_run"]).toBe(pipelineRunId);
    expect(run.tags["mlflow.note.content"]).toBe("Better than nothing.");
    expect(JSON.parse(run.tags["mlflow.log-model.history"]!)).toMatchObject([
      { artifact_path: "model", run_id: runId, flavors: { onnx: { data: "model.onnx" } } },
    ]);
    // The latest is the last round's.
    expect(run.metrics["validation_loss"]).toMatchObject({ value: 0.001, step: 999 });
    const { history } = makeHistories({ database: registry.database });
    const points = await history(runId, "train_loss", 25_000, undefined);
    expect(points.items).toHaveLength(1_000);
    expect(run.datasets.map(({ tags, profile }) => [tags["mlflow.data.context"], profile])).toEqual(
      expect.arrayContaining([
        ["training", '{"num_rows":2,"num_elements":2}'],
        ["test", '{"num_rows":1,"num_elements":1}'],
      ]),
    );
    expect(await pathsOf(runId)).toEqual(
      [...FOLDER, "model.onnx", "plots/roc.png", "plots/roc.svg", "report.html"].sort(),
    );
    const text = new TextDecoder().decode(await registry.tracking.readArtifact(runId, FOLDER[0]!));
    const { signature, utc_time_created } = Bun.YAML.parse(text) as {
      signature: { inputs: string };
      utc_time_created: string;
    };
    expect(JSON.parse(signature.inputs)).toEqual([
      { name: "x", type: "tensor", "tensor-spec": { dtype: "float32", shape: [-1, 1] } },
    ]);
    // Quoted, or some readers take it for a time.
    expect(text).toContain('utc_time_created: "2025-06-01 00:00:00.000000"');
    expect(utc_time_created).toBe("2025-06-01 00:00:00.000000");
    expect(version).toMatchObject({ version: 1, runId, trained: true });
    // A client that registers it again may name the run, the folder, or the file.
    const { database, objects, clock } = registry;
    const files = makeFiles({ database, objects, clock });
    const { find } = makeServable({ database, objects, clock, files, check: async () => {} });
    const { digest } = version as Version;
    for (const path of ["", "/model", "/model.onnx"]) {
      expect(await find("again", `runs:/${runId}${path}`)).toMatchObject({ digest });
    }
  });

  test("is a logged model too: what its run made, with its figures, and no bytes twice", async () => {
    const { runId, pipelineRunId } = await recorded("logged", 1);
    const mlflow = clients();
    const id = `m-${runId}`;
    expect(await outputsOf(runId)).toEqual([{ modelId: id, step: 0 }]);
    const { row, params, tags, metrics, registrations } = await mlflow.logged.logged(id);
    const run = (await registry.tracking.run(runId))!;
    expect(row).toMatchObject({
      ...{ name: "logged", modelType: "binary", status: "READY", sourceRunId: runId },
      ...{ experimentId: run.experimentId, artifactUri: `${run.artifactUri}/model` },
    });
    expect(params).toEqual([{ key: "seed", value: "7" }]);
    const tagged = Object.fromEntries(tags.map(({ key, value }) => [key, value]));
    expect(tagged).toEqual({
      "mlflow.modelVersions": '[{"name": "logged", "version": 1}]',
      "mlflow.source.name": "models/logged.toml",
      "mlflow.source.type": "JOB",
      "mlflow.user": "sluice",
      "sluice.dataset_digest": DIGEST,
      "sluice.model": "logged",
      "sluice.pipeline_run": pipelineRunId,
      "sluice.version": run.tags["sluice.version"]!,
    });
    const { name: datasetName, digest: datasetDigest } = inputOf("test", [1]).dataset;
    expect(metrics).toMatchObject([
      { key: "log_loss", value: 0.4, runId, datasetName, datasetDigest },
      { key: "mcc", value: Number.NaN, runId, datasetName, datasetDigest },
    ]);
    expect(registrations).toEqual([{ name: "logged", version: 1 }]);
    const version = await mlflow.models.version("logged", 1);
    expect(version.row.modelId).toBe(id);

    const search = async (filter: string) => {
      const experimentIds = [String(run.experimentId)];
      const found = await mlflow.search.logged({ experimentIds, filter, limit: 9 });
      return found.models.map((model) => model.row.modelId);
    };
    const filter = "name = 'logged' AND status = 'READY' AND metrics.log_loss < 0.5";
    expect(await search(filter)).toEqual([id]);
    expect(await search("metrics.validation_loss < 1")).toEqual([]);

    const folder = await mlflow.files.entriesOfModel(id, "");
    expect([folder.root, folder.entries.map((entry) => entry.name)]).toEqual([
      `${run.artifactUri}/model`,
      ["MLmodel", "model.onnx", "requirements.txt"],
    ]);
    const { digest } = await mlflow.files.fileOfModel(id, "model.onnx");
    expect(digest).toBe((await registry.versions.version("logged", 1))!.digest);
    const text = new TextDecoder().decode(await registry.tracking.readArtifact(runId, FOLDER[0]!));
    expect(Bun.YAML.parse(text)).toMatchObject({ model_id: id });
    const { rows } = registry.database;
    expect(await rows<object>(sql`select path from files`)).toEqual([]);
  });

  test("tried once more within the run, or after another run was lost, it is one model", async () => {
    const { versions, tracking } = registry;
    const lost = await recorded("redone", 1, async () => {
      throw new Error("killed");
    });
    expect(await outputsOf(lost.runId)).toEqual([]);
    const { runId, version } = await recorded("redone", 1);
    const { digest, signature } = version as Version;
    const model = { folder: "model", type: "binary", figures: [] };
    const bytes = foreignBytes(1);
    const order = { name: "redone", runId, bytes, signature, model };
    const again = await Promise.all([versions.register(order), versions.register(order)]);
    expect(again).toMatchObject([
      { version: 1, digest },
      { version: 1, digest },
    ]);
    const experimentIds = [String(await tracking.experiment("redone"))];
    const { models } = await clients().search.logged({ experimentIds, limit: 9 });
    expect(models.map(({ row }) => row.sourceRunId)).toEqual([runId]);
    expect(models[0]!.metrics).toHaveLength(2);
    expect(await outputsOf(runId)).toHaveLength(1);
  });

  test("of a worker that lost its lease is a run that failed, and no version", async () => {
    const lost = new Error("the lease was lost");
    const { runId, version } = await recorded("lost", 1, async () => {
      throw lost;
    });
    expect(version).toBe(lost as never);
    expect((await registry.tracking.run(runId))?.status).toBe("FAILED");
    expect(
      (await registry.versions.versions("lost", { limit: 9 }).catch(() => ({ items: [] }))).items,
    ).toEqual([]);
    expect(await pathsOf(runId)).not.toContain("model.onnx");
    await expectNoModel(runId);
  });

  test("goes with its version but for the reports, and those with the training", async () => {
    const { tracking, versions, database, objects } = registry;
    const old = await recorded("kept", 1);
    const young = await recorded("kept", 2);
    await database.orm.execute(`update pipeline_runs set status = 'succeeded'`);
    expect((await versions.retain("kept", { newest: 1 })).removed).toEqual([1]);
    expect(await pathsOf(old.runId)).toEqual(["plots/roc.png", "plots/roc.svg", "report.html"]);
    await expectNoModel(old.runId);
    expect(await pathsOf(young.runId)).toEqual(expect.arrayContaining([...FOLDER, "model.onnx"]));
    const report = (await tracking.artifacts(old.runId)).find(
      ({ path }) => path === "report.html",
    )!;
    const { removeTrainings } = makeTrainings(database);
    expect(await removeTrainings(Date.UTC(2100, 0))).toBeGreaterThan(0);
    expect(await tracking.run(old.runId)).toBeNull();
    expect(await tracking.run(young.runId)).not.toBeNull();
    for (let i = 0; i < 2; i++) await versions.sweepOrphans({ olderThanMs: 0 });
    expect(await objects.has(report.digest)).toBe(false);
    await clients().logged.logged(`m-${young.runId}`);
    expect(await pathsOf(young.runId)).toEqual(expect.arrayContaining([...FOLDER, "model.onnx"]));
  });

  test("stays whole while a client's version stands on it, and goes once that is gone", async () => {
    const { tracking, versions, database, objects } = registry;
    const { models, logged } = clients();
    const stays = await Promise.all([
      recorded("base", 1),
      recorded("base", 2),
      recorded("base", 3),
    ]);
    const sources = [
      `models:/m-${stays[0]!.runId}`,
      `runs:/${stays[1]!.runId}/model`,
      (await tracking.run(stays[2]!.runId))!.artifactUri,
    ];
    // Of a name that nothing is served under: there is no version but for the files.
    await models.makeModel({ name: "Ours", description: null, tags: [] });
    const nothing = { runId: null, modelId: null, runLink: null, description: null, userId: null };
    for (const source of sources) {
      await models.makeVersion({ name: "Ours", source, ...nothing, tags: [] });
    }
    await recorded("base", 4);
    await database.orm.execute(`update pipeline_runs set status = 'succeeded'`);
    expect((await versions.retain("base", { newest: 1 })).removed).toHaveLength(3);
    const { removeTrainings } = makeTrainings(database);
    const letGo = async () => {
      while ((await removeTrainings(Date.UTC(2100, 0))) > 0);
      for (let i = 0; i < 2; i++) await versions.sweepOrphans({ olderThanMs: 0 });
    };
    await letGo();
    for (const { runId } of stays) {
      const { row } = await logged.logged(`m-${runId}`);
      expect([row.status, await pathsOf(runId)]).toEqual([
        "READY",
        [...FOLDER, "model.onnx", "plots/roc.png", "plots/roc.svg", "report.html"].sort(),
      ]);
      for (const { digest } of await tracking.artifacts(runId)) await objects.get(digest);
    }
    const leave = { actor: "ada", refusal: null };
    for (const number of [1, 2, 3]) await models.deleteVersion("Ours", number, leave);
    await letGo();
    for (const { runId } of stays) {
      expect(await tracking.run(runId)).toBeNull();
      await expectNoModel(runId);
    }
  });
});

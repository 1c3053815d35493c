import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeFiles } from "../registry/files.ts";
import { bytesOf, openRegistry, type TestRegistry } from "../registry/fixture.ts";
import { makeHistories } from "../registry/histories.ts";
import { makeServable } from "../registry/servable.ts";
import { makeTrainings } from "../registry/trainings.ts";
import type { Version } from "../registry/version-rows.ts";
import { foreignBytes } from "../serve/fixture.ts";
import { makePipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { UNIT_MS } from "../types.ts";
import { colspec, digestOfRows, profileOf, type RunInput } from "./inputs.ts";
import { logTraining, registerMade } from "./made.ts";
import { roundPoints } from "./points.ts";
import { recordRun } from "./record.ts";
import { plotFiles, sendPlots, textFile } from "./run-files.ts";

const AT = Date.UTC(2025, 5, 1);
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
    const about = { model: name, name: `${name} ${number}`, pipelineRunId: run.id };
    let runId = "";
    const recording = recordRun(about, tracking, async (open) => {
      runId = open.runId;
      const made = {
        ...{ runId, artifact: foreignBytes(number), at: AT, summary: "Better than nothing." },
        ...{ datasetDigest: DIGEST, params: { seed: 7 } },
        points: roundPoints({ validation: losses, train: losses, best: losses.at(-1)! }),
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

  const pathsOf = async (runId: string) =>
    (await registry.tracking.artifacts(runId)).map(({ path }) => path).sort();

  test("is a run with points, inputs, files and tags, and a version that has a folder", async () => {
    const { runId, pipelineRunId, version } = await recorded("whole", 1);
    const run = (await registry.tracking.run(runId))!;
    expect(run.status).toBe("FINISHED");
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
  });

  test("goes with its version but for the reports, and those with the training", async () => {
    const { tracking, versions, database, objects } = registry;
    const old = await recorded("kept", 1);
    const young = await recorded("kept", 2);
    await database.orm.execute(`update pipeline_runs set status = 'succeeded'`);
    expect((await versions.retain("kept", { newest: 1 })).removed).toEqual([1]);
    expect(await pathsOf(old.runId)).toEqual(["plots/roc.png", "plots/roc.svg", "report.html"]);
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
  });
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openRegistry, SIGNATURE, type TestRegistry } from "../registry/fixture.ts";
import { makePipelineRuns } from "../store/pipeline-runs.ts";
import { testDatabases } from "../store/testing.ts";
import { UNIT_MS } from "../types.ts";
import { endLeftTrainings } from "./record.ts";

describe.each(testDatabases())("trainings that a lost worker left on $name", (on) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await openRegistry(on);
  });
  afterAll(() => registry.close());

  test("end with their pipeline run: as failed, or as the version they came to", async () => {
    const { tracking, versions, database } = registry;
    const runs = makePipelineRuns(database, { now: () => 1_000 });
    const begin = async (pipeline: string, slot: number) => {
      const { run } = await runs.request({ pipeline, slot, kind: "slot" }, ["train"]);
      const experimentId = await tracking.experiment(pipeline);
      const name = `${pipeline} ${slot}`;
      const runId = await tracking.startRun({ experimentId, name, pipelineRunId: run.id });
      return { run, runId };
    };
    const superseded = await begin("left", UNIT_MS);
    const registered = await begin("left-late", UNIT_MS);
    await versions.register({
      ...{ name: "left-late", runId: registered.runId, signature: SIGNATURE },
      bytes: new Uint8Array([1, 2, 3]),
    });
    await runs.supersede("left", 2 * UNIT_MS);
    await runs.supersede("left-late", 2 * UNIT_MS);
    const open = await begin("left", 2 * UNIT_MS);

    await endLeftTrainings({ tracking, versions });
    const statusOf = async (runId: string) => (await tracking.run(runId))?.status;
    expect(await statusOf(superseded.runId)).toBe("FAILED");
    expect(await statusOf(registered.runId)).toBe("FINISHED");
    expect(await statusOf(open.runId)).toBe("RUNNING");
  });
});

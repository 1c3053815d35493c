import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { experiments, runs } from "../store/schema.ts";
import { testDatabases } from "../store/testing.ts";
import { failureOf, HOSTILE, openRegistry, START, type TestRegistry } from "./fixture.ts";

describe.each(testDatabases())("runs on $name", (on) => {
  let registry: TestRegistry;
  let tracking: TestRegistry["tracking"];
  beforeAll(async () => {
    registry = await openRegistry(on);
    tracking = registry.tracking;
  });
  afterAll(() => registry.close());

  describe("experiments and runs", () => {
    test("twenty at once find or make one experiment, whose location holds its id", async () => {
      const asked = Array.from({ length: 20 }, () => tracking.experiment("one"));
      const ids = new Set(await Promise.all(asked));
      expect(ids.size).toBe(1);
      const rows = await registry.database.orm
        .select()
        .from(experiments)
        .where(eq(experiments.name, "one"));
      expect(rows).toMatchObject([
        { experimentId: [...ids][0], artifactLocation: `mlflow-artifacts:/${[...ids][0]}` },
      ]);
    });

    test("a run starts with an id, a place for its files and its name as a tag", async () => {
      const experimentId = await tracking.experiment("start");
      const runId = await tracking.startRun({
        experimentId,
        name: "first",
        tags: { trainer: "gbdt", "mlflow.runName": "another" },
        userId: "ada",
        pipelineRunId: "p1",
      });
      expect(runId).toMatch(/^[0-9a-f]{32}$/);
      expect(await tracking.run(runId)).toEqual({
        runId,
        name: "first",
        experimentId,
        userId: "ada",
        status: "RUNNING",
        statusMessage: null,
        startTime: START,
        endTime: null,
        artifactUri: `mlflow-artifacts:/${experimentId}/${runId}/artifacts`,
        lifecycleStage: "active",
        deletedTime: null,
        pipelineRunId: "p1",
        params: {},
        metrics: {},
        tags: { "mlflow.runName": "first", trainer: "gbdt" },
        datasets: [],
        artifacts: [],
      });
    });

    test("no run starts in an experiment that is unknown or deleted", async () => {
      const missing = await failureOf(tracking.startRun({ experimentId: 999_999, name: "x" }));
      expect(missing).toMatchObject({ code: "unknown_experiment", status: 404 });
      const experimentId = await tracking.experiment("put away");
      await registry.database.orm
        .update(experiments)
        .set({ lifecycleStage: "deleted" })
        .where(eq(experiments.experimentId, experimentId));
      const deleted = await failureOf(tracking.startRun({ experimentId, name: "x" }));
      expect(deleted).toMatchObject({ code: "experiment_deleted", status: 400 });
    });

    test("an end is for good", async () => {
      const runId = await registry.newRun("end");
      registry.clock.at = START + 5_000;
      expect(await tracking.endRun(runId, "FAILED", "single_class")).toBe(true);
      registry.clock.at = START + 9_000;
      expect(await tracking.endRun(runId, "FINISHED")).toBe(false);
      registry.clock.at = START;
      expect(await tracking.run(runId)).toMatchObject({
        status: "FAILED",
        statusMessage: "single_class",
        endTime: START + 5_000,
      });
    });

    test("of many that end a run at once, one does", async () => {
      const runId = await registry.newRun("end");
      const ends = Array.from({ length: 10 }, (_, i) =>
        tracking.endRun(runId, i % 2 === 0 ? "FINISHED" : "KILLED"),
      );
      expect((await Promise.all(ends)).filter(Boolean)).toHaveLength(1);
    });

    test("an unknown run is told apart from one without anything", async () => {
      for (const runId of ["0".repeat(32), "", ...HOSTILE]) {
        for (const work of [
          () => tracking.endRun(runId, "FINISHED"),
          () => tracking.logParams(runId, { a: 1 }),
          () => tracking.logMetrics(runId, [{ key: "a", value: 1 }]),
          () => tracking.setTags(runId, { a: "1" }),
          () => tracking.logArtifact(runId, "a", new Uint8Array(1)),
        ]) {
          expect(await failureOf(work())).toMatchObject({ code: "unknown_run", status: 404 });
        }
        expect(await tracking.run(runId)).toBeNull();
        expect(await tracking.artifacts(runId)).toEqual([]);
      }
    });

    test("nothing is logged to a deleted run", async () => {
      const runId = await registry.newRun("deleted");
      await registry.database.orm
        .update(runs)
        .set({ lifecycleStage: "deleted" })
        .where(eq(runs.runId, runId));
      const failure = await failureOf(tracking.logParams(runId, { a: 1 }));
      expect(failure).toMatchObject({ code: "run_deleted", status: 400 });
      expect((await tracking.runs({ model: "deleted", limit: 10 })).items).toEqual([]);
      expect(await tracking.run(runId)).not.toBeNull();
    });
  });

  describe("params and tags", () => {
    test("the same params again are fine, another value is not, and then none is written", async () => {
      const runId = await registry.newRun("params");
      await tracking.logParams(runId, { rounds: 120, rate: 0.03, deterministic: true, note: "" });
      await tracking.logParams(runId, { rounds: "120", rate: 0.03 });
      const failure = await failureOf(
        tracking.logParams(runId, { added: 1, rate: 0.05, rounds: 121 }),
      );
      expect(failure).toMatchObject({ code: "param_changed", status: 400 });
      expect(failure.message).toContain("'old_value': '0.03', 'new_value': '0.05'");
      expect(failure.faults.map((fault) => fault.path)).toEqual(["rate", "rounds"]);
      expect((await tracking.run(runId))?.params).toEqual({
        deterministic: "true",
        note: "",
        rate: "0.03",
        rounds: "120",
      });
    });

    test("of writers with different values one wins, and the others are told", async () => {
      const runId = await registry.newRun("params");
      const keys = Array.from({ length: 2_000 }, (_, i) => `key ${i}`);
      const writers = Array.from({ length: 12 }, (_, i) => {
        // In both orders of keys: writers must not lock each other out.
        const order = i % 2 === 0 ? keys : keys.toReversed();
        const values = Object.fromEntries(order.map((key) => [key, i]));
        return tracking.logParams(runId, values).then(
          () => i,
          (thrown) => (thrown.code === "param_changed" ? null : Promise.reject(thrown)),
        );
      });
      const winners = (await Promise.all(writers)).filter((winner) => winner !== null);
      expect(winners).toHaveLength(1);
      const stored = Object.values((await tracking.run(runId))!.params);
      expect(stored).toEqual(Array(2_000).fill(String(winners[0])));
    });

    test("tags are set anew, and mlflow.runName renames the run", async () => {
      const runId = await registry.newRun("tags");
      await tracking.setTags(runId, { a: "1", b: "1" });
      await tracking.setTags(runId, { a: "2", "mlflow.runName": "renamed", __proto__x: "y" });
      const run = await tracking.run(runId);
      expect(run?.name).toBe("renamed");
      expect(run?.tags).toEqual({ a: "2", b: "1", "mlflow.runName": "renamed", __proto__x: "y" });
      await tracking.setTags(runId, {});
      await tracking.logParams(runId, {});
    });

    test("a key or a value that the database cannot hold is named", async () => {
      const runId = await registry.newRun("tags");
      const key = await failureOf(tracking.setTags(runId, { "a\u0000": "1" }));
      expect(key).toMatchObject({ code: "bad_key", status: 422 });
      const value = await failureOf(tracking.logParams(runId, { a: "1\u0000" }));
      expect(value).toMatchObject({ code: "bad_value", status: 422 });
    });

    test("a key may be called like a part of every object", async () => {
      const runId = await registry.newRun("tags");
      await tracking.logParams(runId, JSON.parse('{"__proto__":"a","constructor":"b"}'));
      const { params } = (await tracking.run(runId))!;
      expect(Object.entries(params)).toEqual([
        ["__proto__", "a"],
        ["constructor", "b"],
      ]);
    });
  });
});

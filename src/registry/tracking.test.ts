import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { candles, holes } from "../store/schema.ts";
import { testDatabases } from "../store/testing.ts";
import { UNIT_MS } from "../types.ts";
import { failureOf, HOSTILE, openRegistry, START, type TestRegistry } from "./fixture.ts";
import { makeTracking } from "./tracking.ts";

describe.each(testDatabases())("tracking on $name", (on) => {
  let registry: TestRegistry;
  let tracking: TestRegistry["tracking"];
  beforeAll(async () => {
    registry = await openRegistry(on);
    tracking = registry.tracking;
  });
  afterAll(() => registry.close());

  describe("datasets", () => {
    const dataset = {
      name: "btc candles",
      digest: "d1",
      sourceType: "candles",
      source: '{"markets":["KRW-BTC","KRW-ETH"]}',
      schema: '{"columns":3}',
      profile: '{"rows":100}',
      markets: ["KRW-BTC", "KRW-ETH"],
      firstSlot: START,
      lastSlot: START + 99 * UNIT_MS,
      asOf: START + 100 * UNIT_MS,
    };

    test("two runs that saw the same rows share a dataset; the first tags of a run stay", async () => {
      const [one, two] = [await registry.newRun("data"), await registry.newRun("data")];
      await tracking.logDataset(one, dataset, { "mlflow.data.context": "training" });
      await tracking.logDataset(one, dataset, { "mlflow.data.context": "other" });
      await tracking.logDataset(two, dataset);
      const seen = (await tracking.run(one))?.datasets;
      expect(seen).toMatchObject([{ ...dataset, tags: { "mlflow.data.context": "training" } }]);
      const again = (await tracking.run(two))?.datasets;
      expect(again?.[0]?.datasetId).toBe(seen![0]!.datasetId);
    });

    test("a revision after the reading marks what holds it, once", async () => {
      const runId = await registry.newRun("stale");
      await tracking.logDataset(runId, dataset);
      await tracking.logDataset(runId, { ...dataset, digest: "d2", lastSlot: START });
      const outside = { markets: null, firstSlot: null, lastSlot: null, asOf: null };
      await tracking.logDataset(runId, { ...dataset, digest: "d3", ...outside });
      const later = dataset.asOf + UNIT_MS;
      const revise = (market: string, start: number, knownTo: number) =>
        registry.database.orm.insert(candles).values({
          ...{
            market,
            unit: 240,
            start,
            open: 1,
            high: 1,
            low: 1,
            close: 1,
            volume: 1,
            turnover: 1,
          },
          ...{ knownFrom: start + UNIT_MS, knownTo },
        });
      const reasons = async () =>
        (await tracking.run(runId))?.datasets.map((row) => [row.digest, row.staleReason]);

      await revise("KRW-ADA", START, later);
      await revise("KRW-BTC", START - UNIT_MS, later);
      await revise("KRW-BTC", START + 100 * UNIT_MS, later);
      await revise("KRW-BTC", START + UNIT_MS, dataset.asOf);
      expect(await tracking.markStale()).toBe(0);

      // The shared one of the test above, and d1 of this experiment.
      await revise("KRW-ETH", START + 99 * UNIT_MS, later);
      expect(await tracking.markStale()).toBe(2);
      await registry.database.orm.insert(holes).values({
        ...{ market: "KRW-BTC", unit: 240, start: START, state: "filled" },
        ...{ firstSeenAt: START, askedAt: START, settledAt: later },
      });
      expect(await tracking.markStale()).toBe(1);
      expect(await tracking.markStale()).toBe(0);
      expect(await reasons()).toEqual([
        ["d1", "KRW-ETH 2025-07-17T12:00:00Z was revised"],
        ["d2", "KRW-BTC 2025-07-01T00:00:00Z turned up late"],
        ["d3", null],
      ]);
    });
  });

  describe("lists", () => {
    test("pages run newest first through equal times, and new runs do not shift them", async () => {
      const made: string[] = [];
      for (let i = 0; i < 7; i++) {
        registry.clock.at = START + Math.floor(i / 3) * 1_000;
        made.push(await registry.newRun("list"));
      }
      await tracking.logMetrics(made[6]!, [{ key: "auc", value: 0.6 }]);
      const first = await tracking.runs({ model: "list", limit: 3 });
      expect(first.items[0]).toMatchObject({
        runId: made[6],
        metrics: { auc: { value: 0.6 } },
        tags: { "mlflow.runName": first.items[0]!.name },
      });
      registry.clock.at = START + 60_000;
      const late = await registry.newRun("list");
      const seen = first.items.map((run) => run.runId);
      let next = first.next;
      while (next !== null) {
        const page = await tracking.runs({ model: "list", limit: 3, before: next });
        seen.push(...page.items.map((run) => run.runId));
        next = page.next;
      }
      registry.clock.at = START;
      expect(seen).not.toContain(late);
      expect(seen.toSorted()).toEqual(made.toSorted());
      const times = await Promise.all(seen.map(async (id) => (await tracking.run(id))!.startTime));
      expect(times).toEqual(times.toSorted((a, b) => Number(b) - Number(a)));
    });

    test("an experiment without runs has an empty page, others' runs are not in it", async () => {
      const experimentId = await tracking.experiment("empty");
      const page = await tracking.runs({ experimentId, limit: 5 });
      expect(page).toEqual({ items: [], next: null });
    });

    test("a token that is none, or of another list, is refused", async () => {
      const other = Buffer.from("[3]").toString("base64url");
      const hostile = Buffer.from(JSON.stringify([1, "a\u0000"])).toString("base64url");
      for (const before of ["", "zzz", other, hostile]) {
        const failure = await failureOf(tracking.runs({ limit: 5, before }));
        expect(failure).toMatchObject({ code: "bad_token", status: 422 });
      }
      const limit = await failureOf(tracking.runs({ limit: 0 }));
      expect(limit).toMatchObject({ code: "bad_limit", status: 422 });
    });
  });

  describe("artifacts", () => {
    test("a file is stored under its digest and read by its path", async () => {
      const runId = await registry.newRun("files");
      const bytes = crypto.getRandomValues(new Uint8Array(1_000));
      const digest = await tracking.logArtifact(runId, "plots/roc.png", bytes);
      await tracking.logArtifact(runId, "a.txt", new Uint8Array(0));
      expect(await registry.objects.has(digest)).toBe(true);
      expect(await tracking.artifacts(runId)).toMatchObject([
        { path: "a.txt", size: 0 },
        { path: "plots/roc.png", digest, size: 1_000, createdAt: START },
      ]);
      expect(Buffer.from(await tracking.readArtifact(runId, "plots/roc.png"))).toEqual(
        Buffer.from(bytes),
      );
    });

    test("a path given again holds the newer bytes", async () => {
      const runId = await registry.newRun("files");
      await tracking.logArtifact(runId, "a", new Uint8Array([1]));
      await tracking.logArtifact(runId, "a", new Uint8Array([2]));
      expect([...(await tracking.readArtifact(runId, "a"))]).toEqual([2]);
      expect(await tracking.artifacts(runId)).toHaveLength(1);
    });

    test("paths that lead elsewhere are refused, for writing and for reading", async () => {
      const runId = await registry.newRun("files");
      for (const path of HOSTILE) {
        const write = await failureOf(tracking.logArtifact(runId, path, new Uint8Array(1)));
        expect(write).toMatchObject({ code: "bad_path", status: 422 });
        const read = await failureOf(tracking.readArtifact(runId, path));
        expect(read).toMatchObject({ code: "bad_path", status: 422 });
      }
      expect(await tracking.artifacts(runId)).toEqual([]);
    });

    test("a file that is not there is 404, one whose object is gone says so", async () => {
      const runId = await registry.newRun("files");
      const unknown = await failureOf(tracking.readArtifact(runId, "a"));
      expect(unknown).toMatchObject({ code: "unknown_artifact", status: 404 });
      const digest = await tracking.logArtifact(runId, "a", new Uint8Array([7, 7]));
      await registry.objects.remove(digest);
      const gone = await failureOf(tracking.readArtifact(runId, "a"));
      expect(gone.code).toBe("object_missing");
    });

    test("a store that refuses leaves no row", async () => {
      const runId = await registry.newRun("files");
      const { database, clock, objects } = registry;
      const full = { ...objects, put: () => Promise.reject(new Error("no space left")) };
      const broken = makeTracking({ database, clock, objects: full });
      await expect(broken.logArtifact(runId, "a", new Uint8Array(1))).rejects.toThrow(
        "no space left",
      );
      expect(await tracking.artifacts(runId)).toEqual([]);
    });
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { makePipelineRuns } from "../store/pipeline-runs.ts";
import { makeTableStore } from "../store/tables.ts";
import { testDatabases } from "../store/testing.ts";
import { UNIT_MS } from "../types.ts";
import type { DatasetEntry } from "./datasets.ts";
import { openRegistry, START, type TestRegistry } from "./fixture.ts";
import { makeInputs } from "./inputs.ts";
import { makeTrainings } from "./trainings.ts";

const LATER = START + 200 * UNIT_MS;

const dataset = (digest: string, lastSlot: number | null = null): DatasetEntry => ({
  ...{ name: "btc", digest, sourceType: "sluice_table", source: "{}", schema: null },
  ...{ profile: null, markets: null, firstSlot: lastSlot, lastSlot, asOf: START },
});

describe.each(testDatabases())("datasets on $name", (on) => {
  let registry: TestRegistry;
  let slot = UNIT_MS;
  beforeAll(async () => {
    registry = await openRegistry(on);
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    await registry.database.orm.execute(sql`truncate experiments cascade`);
  });

  const parts = () => makeTrainings(registry.database);
  const digests = async (): Promise<string[]> => {
    const found = sql`select digest from datasets order by digest`;
    return (await registry.database.rows<{ digest: string }>(found)).map(({ digest }) => digest);
  };
  /** A training that has ended, of a pipeline run that has too. */
  async function training(...read: readonly DatasetEntry[]): Promise<void> {
    const { tracking, database, clock } = registry;
    slot += UNIT_MS;
    const wanted = { pipeline: "btc", slot, kind: "slot" as const };
    const { run } = await makePipelineRuns(database, clock).request(wanted, ["train"]);
    const experimentId = await tracking.experiment("btc");
    const about = { experimentId, name: "run", pipelineRunId: run.id };
    const runId = await tracking.startRun(about);
    for (const one of read) await tracking.logDataset(runId, one);
    await tracking.endRun(runId, "FINISHED");
    await database.orm.execute(sql`update pipeline_runs set status = 'succeeded'`);
  }

  test("go with the last run that refers to them, and imported rows never", async () => {
    const { tracking, database, clock } = registry;
    await training(
      ...[dataset("a table's"), dataset("a market's", LATER), dataset("of both")],
      dataset("read by a client"),
    );
    clock.at = START + UNIT_MS;
    await training(dataset("of both"), dataset("the second's"));
    const experimentId = await tracking.experiment("btc");
    const theirs = await tracking.startRun({ experimentId, name: "theirs" });
    await tracking.logDataset(theirs, dataset("read by a client"));
    const store = makeTableStore(database);
    const { stored } = await store.put({
      ...{ model: "btc", file: "rows.csv", part: "train", sha256: "ab", layout: "cd", refused: 0 },
      ...{ lines: [1, 2], cells: ["[1]", "[2]"], report: {}, actor: "ada", at: START },
    });
    // What the program left behind before it knew of this.
    await database.orm.execute(sql`
      insert into datasets (experiment_id, name, digest, source_type, source)
      values (${experimentId}::bigint, 'btc', 'left', 'sluice_table', '{}')`);
    const { removeTrainings, removeDatasets } = parts();
    expect(await removeDatasets()).toBe(1);
    expect(await digests()).toHaveLength(5);
    expect(await removeTrainings(START + 1)).toBe(1);
    expect(await removeDatasets()).toBe(2);
    expect(await digests()).toEqual(["of both", "read by a client", "the second's"]);
    expect(await removeDatasets()).toBe(0);
    expect(await store.cells(stored.id)).toEqual(["[1]", "[2]"]);
  });

  test("are there for a run that comes to them while they are let go of", async () => {
    const { tracking, database } = registry;
    const experimentId = await tracking.experiment("btc");
    const { logInputs } = makeInputs({ database });
    const { removeDatasets } = parts();
    let going = true;
    const letGo = async (): Promise<number> => {
      let many = 0;
      for (; going; await Bun.sleep(1)) many += await removeDatasets();
      return many;
    };
    const sweeps = [letGo(), letGo()];
    const { name, digest, sourceType, source, schema, profile } = dataset("same");
    const theirs = { name, digest, sourceType, source, schema, profile, tags: {} };
    try {
      // One thread does one thing after another: little can happen there.
      for (let round = 0; round < (on.name === "postgres" ? 60 : 10); round++) {
        const ids = await Promise.all(
          [1, 2, 3].map((n) => tracking.startRun({ experimentId, name: `${round} ${n}` })),
        );
        const [ours, again, client] = ids as [string, string, string];
        await Promise.all([
          tracking.logDataset(ours, dataset("same")),
          tracking.logDataset(again, dataset("same")),
          logInputs(client, [theirs], []),
        ]);
        for (const id of ids) expect((await tracking.run(id))!.datasets).toHaveLength(1);
        await database.orm.execute(sql`delete from runs`);
        // Long enough for it to be let go of, or nearly.
        await Bun.sleep(round % 4);
      }
    } finally {
      going = false;
    }
    const many = (await Promise.all(sweeps)).reduce((sum, each) => sum + each, 0);
    expect(many).toBeGreaterThan(2);
  });
});

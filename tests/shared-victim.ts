/*
 * A process of the cases that is killed in the middle of its work, by itself or by the test:
 * `bun shared-victim.ts WORK PLACE`. It writes to its output what it has seen before.
 */
import { recordRun } from "../src/flow/record.ts";
import { bytesOf, SIGNATURE, testClock } from "../src/registry/fixture.ts";
import { makePromotion } from "../src/registry/promotion.ts";
import { makeTracking } from "../src/registry/tracking.ts";
import { makeVersions } from "../src/registry/versions.ts";
import type { Database, Orm } from "../src/store/database.ts";
import { makePipelineRuns } from "../src/store/pipeline-runs.ts";
import { aliasHistory } from "../src/store/schema.ts";
import { databaseIn, objectsIn, type Place } from "./shared.ts";

export type Work = "between" | "committed" | "uploading" | "stored";

/** Large enough that a folder takes some time to write it. */
const UPLOAD_BYTES = 48_000_000;
const why = { actor: "victim", reason: "killed" };
const clock = testClock();
const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("killed");
};

const [work, place] = [process.argv[2] as Work, JSON.parse(process.argv[3]!) as Place];
const database = await databaseIn(place);
const objects = objectsIn(place);

/** The same database, in whose transactions a row of history is not written any more. */
const dyingBetween = (given: Database): Database => {
  const orm = Object.create(given.orm) as Orm;
  orm.transaction = (task) =>
    given.orm.transaction((tx) => {
      const dying = Object.create(tx) as typeof tx;
      dying.insert = (table) => (Object.is(table, aliasHistory) ? die() : tx.insert(table));
      return task(dying);
    });
  return { ...given, orm };
};

const register = async (name: string, bytes: Uint8Array, check = async () => {}) => {
  const deps = { database, objects, clock };
  const runs = makePipelineRuns(database, clock);
  const wanted = { pipeline: name, slot: clock.now(), kind: "retrain" as const };
  const { run } = await runs.request(wanted, ["train"]);
  await runs.claim(run.id, "victim");
  const of = { model: name, name: "a training", pipelineRunId: run.id };
  const about = { ...of, startedAt: clock.now() };
  await recordRun(about, makeTracking(deps), ({ runId }) =>
    makeVersions({ ...deps, check }).register({ name, runId, bytes, signature: SIGNATURE }),
  );
};

const promotions: Readonly<Record<Work, () => Promise<unknown>>> = {
  between: async () => {
    for (const content of ["one", "two"]) await register("killed", bytesOf(content));
    await makePromotion({ database, clock }).promote({ name: "killed", version: 1, ...why });
    const dying = makePromotion({ database: dyingBetween(database), clock });
    await dying.promote({ name: "killed", version: 2, expected: 1, ...why });
  },
  committed: async () => {
    const promotion = makePromotion({ database, clock, onMoved: die });
    const { version } = (await promotion.champion("killed"))!;
    console.log(JSON.stringify({ version, moves: (await promotion.history("killed")).length }));
    await promotion.promote({ name: "killed", version: 2, expected: 1, ...why });
  },
  uploading: () => register("uploading", new Uint8Array(UPLOAD_BYTES), () => Bun.sleep(60_000)),
  stored: () => register("stored", bytesOf("stored"), async () => die()),
};
await promotions[work]();

/*
 * How a version comes to be: bytes stored, read back, loaded and tried; only then a row. A fault
 * before the row leaves at most bytes that nobody names; there is no half a version.
 */
import { eq, max } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import type { Database, Orm } from "../store/database.ts";
import { type Objects, sha256 } from "../store/objects.ts";
import { modelVersions, modelVersionTags, registeredModels } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import { putArtifact } from "./artifacts.ts";
import { storeBytes } from "./blob.ts";
import { modelName, trackingKey } from "./names.ts";
import { assertActive, type RunRow } from "./runs.ts";
import { completeSignature, type Signature } from "./signature.ts";
import { logTrained, type TrainedModel, trainedId } from "./trained.ts";
import { lockModel, type Version, versionOf, versionOfRun } from "./version-rows.ts";

/** Loads the bytes and predicts with them; throws when they cannot be served under that name. */
export type Check = (bytes: Uint8Array, signature: Signature, name: string) => Promise<void>;

export interface Registration {
  readonly name: string;
  readonly runId: string;
  readonly bytes: Uint8Array;
  readonly signature: Signature;
  /** Of what a training made: clients find it as a logged model too, and load that folder. */
  readonly model?: TrainedModel;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Runs first in the transaction; its throwing (a lease that was lost) leaves no version. */
  readonly guard?: (tx: Orm) => Promise<void>;
}

/** What the run calls the bytes that a version was made of. */
export const MODEL_FILE = "model.onnx";
/** The folder of a run that MLflow's clients load them from, where a training made it. */
export const MODEL_FOLDER = "model";

/** The registering of versions. */
export function makeRegister({
  database,
  objects,
  clock,
  check,
}: {
  database: Database;
  objects: Objects;
  clock: { now(): Instant };
  check: Check;
}) {
  /**
   * Registers the bytes as the model's next version and as the run's `model.onnx`. A run gives
   * one version a model: the same bytes again return it, others throw `run_has_version` (409).
   * Throws `bad_name` and `incomplete_signature` (422), `unknown_run` (404), and whatever the
   * object store or the check throw.
   */
  async function register(wanted: Registration): Promise<Version> {
    modelName(wanted.name);
    const signature = completeSignature(wanted.signature);
    for (const key of Object.keys(wanted.tags ?? {})) trackingKey(key);
    const run = await assertActive(database.orm, wanted.runId);
    const there = await sameVersion(database.orm, wanted, sha256(wanted.bytes));
    if (there !== null) return there;
    return storeBytes(objects, wanted.bytes, async (digest) => {
      // The bytes as a server will get them, not those that are still at hand.
      await check(await objects.get(digest), signature, wanted.name);
      return database.orm.transaction(async (tx) => {
        await wanted.guard?.(tx);
        return insertVersion(tx, { ...wanted, signature }, digest, run);
      });
    });
  }

  async function insertVersion(tx: Orm, wanted: Registration, digest: string, run: RunRow) {
    const { name, runId, bytes, signature, model, description = null } = wanted;
    const now = clock.now();
    await tx
      .insert(registeredModels)
      .values({ name, creationTime: now, lastUpdatedTime: now })
      .onConflictDoNothing();
    await lockModel(tx, name);
    // Under the lock once more: the same step may run twice at once.
    const there = await sameVersion(tx, wanted, digest);
    if (there !== null) return there;
    const version = await nextNumber(tx, name);
    await tx.insert(modelVersions).values({
      name,
      version,
      description,
      userId: run.userId,
      source: `runs:/${runId}/${model?.folder ?? MODEL_FILE}`,
      runId,
      modelId: model === undefined ? null : trainedId(runId),
      trained: true,
      status: "READY",
      creationTime: now,
      lastUpdatedTime: now,
      digest,
      size: bytes.length,
      signature,
    });
    const tags = Object.entries(wanted.tags ?? {});
    if (tags.length > 0) {
      const rows = tags.map(([key, value]) => ({ name, version, key, value }));
      await tx.insert(modelVersionTags).values(rows);
    }
    const file = { path: MODEL_FILE, digest, size: bytes.length, createdAt: now };
    await putArtifact(tx, { runId, ...file });
    if (model !== undefined) {
      await logTrained({ database, tx, now }, { name, version, runId }, model);
    }
    await tx
      .update(registeredModels)
      .set({ lastUpdatedTime: now })
      .where(eq(registeredModels.name, name));
    return (await versionOf(tx, name, version))!;
  }

  return { register };
}

async function sameVersion(
  within: Orm,
  { name, runId }: Registration,
  digest: string,
): Promise<Version | null> {
  const there = await versionOfRun(within, name, runId);
  if (there === null || there.digest === digest) return there;
  throw new SluiceError({
    code: "run_has_version",
    status: 409,
    detail:
      `Run ${runId} gave version ${there.version} of ${name} with sha256 ${there.digest}; ` +
      `these bytes have ${digest}.`,
    fix: "Start another run for another artifact: a version never changes.",
  });
}

/** One more than was ever given, removed versions included. */
export async function nextNumber(tx: Orm, name: string): Promise<number> {
  const rows = await tx
    .select({ newest: max(modelVersions.version) })
    .from(modelVersions)
    .where(eq(modelVersions.name, name));
  return (rows[0]?.newest ?? 0) + 1;
}

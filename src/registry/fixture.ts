/*
 * What the tests of this room share: a registry on a test database with a folder of objects.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import { folderObjects, type Objects } from "../store/objects.ts";
import type { TestDatabase } from "../store/testing.ts";
import { makePromotion } from "./promotion.ts";
import type { Check } from "./register.ts";
import type { Signature } from "./signature.ts";
import { makeTracking } from "./tracking.ts";
import { makeVersions } from "./versions.ts";

export const START = Date.UTC(2025, 6, 1);

export const SIGNATURE: Signature = {
  inputs: [{ name: "features", dtype: "float32", shape: ["N", 3] }],
  outputs: [{ name: "probability", dtype: "float32", shape: ["N", 1] }],
};

/** A clock that stands still until it is told otherwise. */
export function testClock(now = START) {
  return {
    at: now,
    now() {
      return this.at;
    },
  };
}

/** A registry over a fresh database and folder; `check` accepts everything unless given. */
export async function openRegistry(on: TestDatabase, check: Check = async () => {}) {
  const folder = await mkdtemp(join(tmpdir(), "sluice-registry-"));
  const database = await on.open();
  const clock = testClock();
  const objects = folderObjects(folder);
  const over = (store: Objects, tested: Check = check) =>
    makeVersions({ database, objects: store, clock, check: tested });
  const tracking = makeTracking({ database, objects, clock });
  const versions = over(objects);
  let count = 0;

  /** A run of an experiment named like the model. */
  const newRun = async (model: string): Promise<string> =>
    tracking.startRun({ experimentId: await tracking.experiment(model), name: `run ${++count}` });

  /** Registers so many versions, each of other bytes. */
  const newVersions = async (name: string, many: number): Promise<void> => {
    for (let i = 0; i < many; i++) {
      const runId = await newRun(name);
      await versions.register({ name, runId, bytes: bytesOf(runId), signature: SIGNATURE });
    }
  };

  return {
    database,
    clock,
    objects,
    folder,
    tracking,
    versions,
    promotion: makePromotion({ database, clock }),
    versionsOver: over,
    newRun,
    newVersions,
    close: async () => {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type TestRegistry = Awaited<ReturnType<typeof openRegistry>>;

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The error that the work ends in; fails when it is none of ours or there is none. */
export async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

/** Names and paths that people tried on other servers to leave the folder they were given. */
export const HOSTILE = [
  "../../etc/passwd",
  "..%2f..%2f",
  "%252e%252e/",
  "a/../../b",
  "/etc/passwd",
  "//proc/self/root",
  "x\u0000.onnx",
  "C:\\x",
  "http:///#/../../etc/",
];

/*
 * What makes a version that a client registered one that can be served: one ONNX file among its
 * files, which loads, has a signature and answers. Nothing else is ever loaded: a pickle is a
 * program, and whoever registers it would run it here.
 */
import { and, eq, isNull, ne } from "drizzle-orm";
import pLimit from "p-limit";
import { reasonOf, SluiceError } from "../errors.ts";
import { readMetadata } from "../onnx/metadata.ts";
import type { Database } from "../store/database.ts";
import type { Objects } from "../store/objects.ts";
import { modelVersions } from "../store/schema.ts";
import type { Instant } from "../types.ts";
import type { Files, LocatedFile } from "./files.ts";
import { isOfFile, signatureOf } from "./foreign.ts";
import type { Check } from "./register.ts";
import { completeSignature, type Signature } from "./signature.ts";
import { isServableName } from "./sources.ts";
import { REMOVED } from "./version-rows.ts";

/** What a version serves. */
export interface Served {
  readonly digest: string;
  readonly size: number;
  readonly signature: Signature;
}

/** As the file routes take them. */
const MODEL_BYTES = 256 * 1024 * 1024;
const MLMODEL_BYTES = 1024 * 1024;

/** Looking for what can be served among the files of versions. */
export function makeServable({
  database,
  objects,
  clock,
  check,
  files: { allAt },
}: {
  readonly database: Database;
  readonly objects: Pick<Objects, "get">;
  readonly clock: { now(): Instant };
  readonly check: Check;
  readonly files: Pick<Files, "allAt">;
}) {
  const { orm } = database;
  // One at a time: each holds the bytes of a model and loads them.
  const turn = pLimit(1);

  /** What can be served of the files at the address; `not_servable` (409) with the reason. */
  async function find(name: string, location: string): Promise<Served> {
    if (!isServableName(name)) throw notServable(name, NAME_REASON, NAME_FIX);
    const files = await allAt(location);
    if (files === null) {
      throw notServable(name, "its files are not kept here, and nothing is fetched", FILES_FIX);
    }
    const { digest, size, path } = await onnxOf(name, files);
    if (size > MODEL_BYTES) {
      throw notServable(name, `${shown(path)} has ${size} bytes, more than ${MODEL_BYTES}`);
    }
    try {
      return await turn(async () => {
        const bytes = await objects.get(digest);
        const signature = completeSignature(signatureOf(readMetadata(bytes)));
        await check(bytes, signature, name);
        return { digest, size, signature };
      });
    } catch (thrown) {
      // A fault of the file; what ails the store is told as it is.
      const isRefusal = thrown instanceof SluiceError && thrown.status < 500;
      if (!isRefusal && !isOfFile(thrown)) throw thrown;
      throw notServable(name, `${shown(path)}: ${reasonOf(thrown)}`, undefined, thrown);
    }
  }

  /** The one ONNX file, or that which the MLmodel file beside them names. */
  async function onnxOf(name: string, files: readonly LocatedFile[]): Promise<LocatedFile> {
    const candidates = files.filter(({ path }) => /\.onnx$/i.test(path));
    // The address may be that of the file itself.
    const only = candidates[0] ?? (files.length === 1 && files[0]!.path === "" ? files[0]! : null);
    // A training's run has its file twice: as it is, and within the folder that clients load.
    const isOne = new Set(candidates.map(({ digest }) => digest)).size <= 1;
    if (isOne && only !== null) return only;
    if (only === null) {
      const there = files.slice(0, 5).map(({ path }) => path);
      const what =
        files.length === 0 ? "it has no files" : `no .onnx file is among ${there.join(", ")}`;
      throw notServable(name, what);
    }
    const named = await namedIn(files);
    const chosen = candidates.find(({ path }) => path === named);
    if (chosen !== undefined) return chosen;
    const paths = candidates.slice(0, 5).map(({ path }) => path);
    throw notServable(name, `it has several .onnx files (${paths.join(", ")})`);
  }

  /** The file that the onnx flavour of an MLmodel file names, or null. */
  async function namedIn(files: readonly LocatedFile[]): Promise<string | null> {
    const description = files.find(({ path }) => path === "MLmodel");
    if (description === undefined || description.size > MLMODEL_BYTES) return null;
    const text = new TextDecoder().decode(await objects.get(description.digest));
    try {
      const { flavors } = Bun.YAML.parse(text) as { flavors?: { onnx?: { data?: unknown } } };
      const data = flavors?.onnx?.data;
      return typeof data === "string" ? data : null;
    } catch {
      return null;
    }
  }

  return {
    find,

    /**
     * Looks once more at a version that could not be served when it was registered: its files may
     * have come since. `not_servable` (409) where it still cannot; one that can, or that is not
     * there, is left alone.
     */
    makeServable: async (name: string, version: number): Promise<void> => {
      const here = and(
        eq(modelVersions.name, name),
        eq(modelVersions.version, version),
        isNull(modelVersions.digest),
        ne(modelVersions.currentStage, REMOVED),
      );
      if (!Number.isInteger(version) || version < 1 || version > 2 ** 31 - 1) return;
      const [row] = await orm.select().from(modelVersions).where(here);
      if (row === undefined) return;
      const { digest, size, signature } = await find(name, row.storageLocation ?? row.source);
      const found = { digest, size, signature, statusMessage: null };
      await orm
        .update(modelVersions)
        .set({ ...found, lastUpdatedTime: clock.now() })
        .where(here);
    },
  };
}

export type Servable = ReturnType<typeof makeServable>;

/** The version can be registered and tracked, and not be served (409). */
const notServable = (name: string, reason: string, fix = FIX, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "not_servable",
    status: 409,
    detail: `This version of ${shown(name)} cannot be served: ${reason.replace(/\.$/, "")}.`,
    fix,
    cause,
  });

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));

const FIX =
  "Log the model as ONNX (mlflow.onnx.log_model, or one .onnx file) and register that; a pickle " +
  "is never loaded.";
const FILES_FIX =
  "Log the model to this server, and register runs:/<run_id>/<path> or models:/<model_id>.";
const NAME_REASON =
  "names in the addresses of predictions have small letters, digits, _ and -, at most 63";
const NAME_FIX = "Register it under such a name, for example with copy_model_version.";

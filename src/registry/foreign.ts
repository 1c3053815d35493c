/*
 * Versions that were not trained here: an ONNX file becomes a version of a model, with a run of its
 * own that says where it came from, as MLflow would show it.
 */
import pLimit from "p-limit";
import { reasonOf, SluiceError } from "../errors.ts";
import { readMetadata, type ValueShape } from "../onnx/metadata.ts";
import type { ElementType } from "../onnx/schema.ts";
import type { Database } from "../store/database.ts";
import { sha256 } from "../store/objects.ts";
import { modelName } from "./names.ts";
import type { Signature } from "./signature.ts";
import type { Tracking } from "./tracking.ts";
import { type Version, versionOfDigest } from "./version-rows.ts";
import type { Versions } from "./versions.ts";

export interface ForeignFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Who registers it. */
  readonly actor: string;
  readonly description?: string | undefined;
}

export interface Foreign {
  readonly version: Version;
  /** True when the model had these bytes already: nothing was made. */
  readonly unchanged: boolean;
}

/** The tag of a run that tells that nothing was trained in it. */
const SOURCE = "sluice.source";
const FILE = "file";

/** Whether a run is one of those: what a training would have left is not there. */
export const isForeign = (run: { readonly tags: Readonly<Record<string, string>> } | null) =>
  run?.tags[SOURCE] === FILE;

export interface ForeignDeps {
  readonly database: Database;
  readonly tracking: Pick<Tracking, "experiment" | "startRun" | "endRun">;
  readonly versions: Pick<Versions, "register">;
}

/** Registers files from outside. */
export function makeForeign({ database, tracking, versions }: ForeignDeps) {
  // One at a time: a file is loaded to be tried, and the same one twice at once is one version.
  const turn = pLimit(1);

  /**
   * Makes the file the model's next version, unless a version has the same bytes. The model is made
   * where there is none of that name. Throws `bad_name`, `artifact_corrupt`, `onnx_refused`,
   * `incomplete_signature` (422), or what the object store throws.
   */
  async function register(file: ForeignFile): Promise<Foreign> {
    const { bytes, actor, description } = file;
    const name = modelName(file.name);
    const summary = readMetadata(bytes);
    const signature = signatureOf(summary);
    const digest = sha256(bytes);
    const there = await versionOfDigest(database.orm, name, digest);
    if (there !== null) return { version: there, unchanged: true };
    const runId = await tracking.startRun({
      experimentId: await tracking.experiment(name),
      name: `${name} ${digest.slice(0, 12)}`,
      userId: actor,
      tags: {
        ...{ "sluice.model": name, [SOURCE]: FILE },
        ...(summary.producer === "" ? {} : { "onnx.producer": printable(summary.producer) }),
      },
    });
    try {
      const version = await versions.register({
        ...{ name, runId, bytes, signature },
        ...(description === undefined ? {} : { description }),
      });
      await tracking.endRun(runId, "FINISHED");
      return { version, unchanged: false };
    } catch (thrown) {
      // What keeps the run from being ended would hide what was wrong with the file.
      await tracking.endRun(runId, "FAILED", printable(reasonOf(thrown))).catch(() => {});
      throw asRefusal(thrown);
    }
  }
  return (file: ForeignFile): Promise<Foreign> => turn(() => register(file));
}

/** A fault of the file is the sender's; the same fault of a stored version would be ours. */
const asRefusal = (thrown: unknown): unknown =>
  isOfFile(thrown) ? refused(thrown.message, thrown) : thrown;

/** Whether loading failed at the file, whatever status that has where the file is a stored one. */
export const isOfFile = (thrown: unknown): thrown is SluiceError =>
  thrown instanceof SluiceError &&
  ["artifact_unusable", "feature_mismatch", "non_finite_output"].includes(thrown.code);

/** Element types of tensors that requests can be made of. */
const SERVED: readonly ElementType[] = [
  ...(["float32", "float64", "float16", "string", "bool"] as const),
  ...(["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"] as const),
];

type Tensors = Signature["inputs"];

/**
 * The signature of a file: every input, and the outputs that are tensors. `onnx_refused` where an
 * input could not be sent, or nothing could be answered.
 */
export function signatureOf({
  inputs,
  outputs,
}: {
  readonly inputs: readonly ValueShape[];
  readonly outputs: readonly ValueShape[];
}): Signature {
  const fault = inputs.find(({ type }) => !isServed(type));
  if (fault !== undefined) {
    throw refused(`its input ${JSON.stringify(fault.name)} is ${kindOf(fault)}`);
  }
  if (inputs.length === 0) throw refused("it has no input");
  const answered = outputs.filter(({ kind }) => kind === "tensor");
  const odd = answered.find(({ type }) => !isServed(type));
  if (odd !== undefined) throw refused(`its output ${JSON.stringify(odd.name)} is ${kindOf(odd)}`);
  if (answered.length === 0) {
    const kinds = outputs.map((output) => `${JSON.stringify(output.name)} is ${kindOf(output)}`);
    throw refused(
      `no output of it is a tensor${kinds.length === 0 ? "" : `: ${kinds.join(", ")}`}`,
    );
  }
  return { inputs: inputs.map(tensorOf), outputs: answered.map(tensorOf) } as Signature;
}

const isServed = (type: ElementType | null): boolean => type !== null && SERVED.includes(type);

const kindOf = ({ kind, type }: ValueShape): string =>
  kind === "tensor" ? `a tensor of ${type}` : `a ${kind}`;

const tensorOf = ({ name, type, shape }: ValueShape): Tensors[number] => ({
  name,
  dtype: type ?? "undefined",
  shape: shape?.map((size) => (size === null || size === "" || size === 0 ? -1 : size)) ?? [-1],
});

/** Texts of a stranger's file, without what a database cannot hold, and not longer than a line. */
const printable = (text: string): string => text.replaceAll("\0", "").slice(0, 500);

/** The file is an ONNX model, and none that could be served. */
export const refused = (reason: string, cause?: unknown, fix = FIX): SluiceError =>
  new SluiceError({
    code: "onnx_refused",
    status: 422,
    detail: `The file cannot be served: ${reason.replace(/\.$/, "")}.`,
    fix,
    cause,
  });

const FIX =
  "Export it so that inputs and outputs are tensors of numbers, texts or bools (skl2onnx: " +
  "options={id(model): {'zipmap': False}}) and that ONNX Runtime loads it.";

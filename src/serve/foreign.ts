/*
 * ONNX files that were not made here, and those made here that this program cannot take as what
 * they are: asked by tensors, under the signature of the file.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { isMarket, type ModelFile } from "../models.ts";
import { readMetadata, type ValueShape } from "../onnx/metadata.ts";
import type { ElementType } from "../onnx/schema.ts";
import { refused } from "../registry/foreign.ts";
import { KEY } from "./artifact.ts";
import { type Loaded, type LoadedPlain, openArtifact } from "./loaded.ts";
import { type Plain, type PlainData, type PlainTensors, plainOf } from "./plain.ts";
import type { Runtime } from "./runtime.ts";
import { openInference, unusable } from "./session.ts";
import { missingRow } from "./table.ts";

/**
 * Loads a version of any kind and tries it. A file that says that it was made here must be what it
 * says; throws what `openArtifact` throws, or `artifact_unusable` where a foreign one does not
 * answer a tensor of zeros.
 */
export async function openVersion(runtime: Runtime, bytes: Uint8Array): Promise<Loaded> {
  if (isOurs(bytes)) return openArtifact(runtime, bytes);
  const loaded = await openPlainly(runtime, bytes, null);
  try {
    await smoke(loaded.plain);
  } catch (thrown) {
    await loaded.session.release();
    throw thrown;
  }
  return loaded;
}

/**
 * The same for a version that is asked for by its number: one that cannot be taken as what it says
 * (a market's of other features) still answers tensors.
 */
export async function openAnyhow(runtime: Runtime, bytes: Uint8Array): Promise<Loaded> {
  try {
    return await openVersion(runtime, bytes);
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    return openPlainly(runtime, bytes, thrown).catch(() => {
      throw thrown;
    });
  }
}

async function openPlainly(
  runtime: Runtime,
  bytes: Uint8Array,
  trouble: SluiceError | null,
): Promise<LoadedPlain> {
  const inference = await openInference(runtime, bytes);
  const session = { inference, release: inference.release };
  return { kind: "plain", session, plain: plainOf(runtime, inference, bytes), trouble };
}

const isOurs = (bytes: Uint8Array): boolean => Object.hasOwn(readMetadata(bytes).metadata, KEY);

/** Asks a loaded version what it was tried with before it served. */
export async function tryOut(loaded: Loaded): Promise<void> {
  if (loaded.kind === "plain") {
    // One that was taken as tensors only was never tried, or failed at it.
    if (loaded.trouble === null) await smoke(loaded.plain);
  } else if (loaded.kind === "table") await loaded.session.run(missingRow(loaded.facts));
  else await loaded.session.run(new Float32Array(loaded.facts.features.length), 1);
}

/** How the runtime refuses a category that a one-hot encoder without a place for it never saw. */
const UNKNOWN_CATEGORY = /Unknown Category and zeros = 0/;

/** Elements that are tried at most: an image or two, not a volume. */
const SMOKE_ELEMENTS = 4_000_000;

/** Asks once with zeros and empty texts, where the shapes tell what to send. */
async function smoke({ signature, run }: Plain): Promise<void> {
  const inputs: Record<string, PlainTensors[string]> = {};
  for (const input of signature.inputs) {
    const shape = smokeShape(input);
    const size = shape?.reduce((a, b) => a * b, 1) ?? Number.POSITIVE_INFINITY;
    if (shape === null || size > SMOKE_ELEMENTS) return;
    const type = input.type ?? "undefined";
    const data = zeros(type, size);
    if (data === null) return;
    inputs[input.name] = { type, shape, data };
  }
  const outputs = signature.outputs.map(({ name }) => name);
  await run(inputs, outputs).catch((thrown) => {
    // It took the inputs and has no place for an empty text: it is to be asked for real ones.
    if (UNKNOWN_CATEGORY.test(reasonOf(thrown))) return;
    throw unusable(`it does not answer zeros and empty texts: ${reasonOf(thrown)}`, thrown);
  });
}

/** One row; null where another size than that of rows is open. */
function smokeShape({ shape }: ValueShape): readonly number[] | null {
  const sizes = shape?.map((size, at) => (typeof size === "number" && size > 0 ? size : 1 - at));
  // Past the first an open size became 0 or less.
  return sizes === undefined || sizes.some((size) => size < 1) ? null : sizes;
}

const ARRAYS = {
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** So many zeros, or empty texts; null of a type that cannot be sent. */
function zeros(type: ElementType, size: number): PlainData | null {
  if (type === "string") return new Array<string>(size).fill("");
  return isNumeric(type) ? new ARRAYS[type](size) : null;
}

const isNumeric = (type: ElementType): type is keyof typeof ARRAYS => Object.hasOwn(ARRAYS, type);

/**
 * Loads and tries a version, holds it against the model file of its name, if there is one, and lets
 * go of it. Throws what those throw.
 */
export async function tryVersion(
  runtime: Runtime,
  bytes: Uint8Array,
  file?: ModelFile,
): Promise<void> {
  const loaded = await openVersion(runtime, bytes);
  try {
    assertFits(loaded, file);
  } finally {
    await loaded.session.release();
  }
}

/**
 * Refuses (`onnx_refused`, 422) a version that is of another kind than what the model file of its
 * name says: pipeline and forecast could do nothing with it. A name without a file takes any.
 */
function assertFits(loaded: Loaded, file: ModelFile | undefined): void {
  if (file === undefined) return;
  const { name, kind } = file;
  const own = `${name} has the model file of a ${kind}`;
  if (isMarket(file)) {
    const { market } = file.collect;
    if (loaded.kind !== "market") throw misfit(own, `is no model of ${market} made here`);
    if (loaded.facts.market !== market) throw misfit(own, `was trained on ${loaded.facts.market}`);
    return;
  }
  const target = file.table.target.column;
  if (loaded.kind !== "table") throw misfit(own, "is no model of a table made here");
  if (loaded.facts.target !== target) {
    throw misfit(own, `foretells ${loaded.facts.target}, not ${target}`);
  }
}

const misfit = (own: string, given: string): SluiceError =>
  refused(`${own}, and this file ${given}`, undefined, "Register it under a name of its own.");

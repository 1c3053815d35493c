/*
 * A version's bytes as a folder that MLflow's clients load a model from: the file, and an `MLmodel`
 * that names it for the flavours onnx and python_function, with the tensors that it takes.
 */
import type { RunFile } from "../registry/artifacts.ts";
import { MODEL_FILE, MODEL_FOLDER } from "../registry/register.ts";
import type { Signature } from "../registry/signature.ts";
import { trainedId } from "../registry/trained.ts";
import type { Instant } from "../types.ts";
import { textFile } from "./run-files.ts";

interface ModelFacts {
  readonly runId: string;
  readonly bytes: Uint8Array;
  readonly signature: Signature;
  readonly at: Instant;
}

const FLAVORS = {
  onnx: { data: MODEL_FILE, code: null, providers: ["CPUExecutionProvider"] },
  // Their own loader: nothing of this program is needed to answer.
  python_function: { loader_module: "mlflow.onnx", data: MODEL_FILE, env: null },
};

/** The files of the folder. */
export const modelFiles = (facts: ModelFacts): RunFile[] => [
  { path: `${MODEL_FOLDER}/${MODEL_FILE}`, bytes: facts.bytes },
  textFile(`${MODEL_FOLDER}/MLmodel`, yamlOf(descriptionOf(facts))),
  textFile(`${MODEL_FOLDER}/requirements.txt`, "mlflow\nonnx\nonnxruntime\n"),
];

/** What the clients' `log_model` leaves in the tag `mlflow.log-model.history`. */
export const modelHistory = (facts: ModelFacts): string => {
  const { signature, ...description } = descriptionOf(facts);
  return JSON.stringify([description]);
};

const descriptionOf = ({ runId, bytes, signature, at }: ModelFacts) => ({
  artifact_path: MODEL_FOLDER,
  flavors: FLAVORS,
  model_id: trainedId(runId),
  model_size_bytes: bytes.length,
  run_id: runId,
  signature: {
    inputs: JSON.stringify(signature.inputs.map(tensorOf)),
    outputs: JSON.stringify(signature.outputs.map(tensorOf)),
    params: null,
  },
  utc_time_created: new Date(at).toISOString().replace("T", " ").replace("Z", "000"),
});

/** As NumPy names the types; a size that is open is -1. */
const tensorOf = ({ name, dtype, shape }: Signature["inputs"][number]) => ({
  name,
  type: "tensor",
  "tensor-spec": {
    dtype: dtype === "string" ? "object" : dtype,
    shape: shape.map((size) => (typeof size === "number" ? size : -1)),
  },
});

type Value = string | number | null | readonly string[] | { readonly [key: string]: Value };

/** YAML whose values are JSON, so that no text is taken for a time or a number. */
const yamlOf = (of: { readonly [key: string]: Value }, indent = ""): string =>
  Object.entries(of)
    .map(([key, value]) =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? `${indent}${key}:\n${yamlOf(value as { readonly [key: string]: Value }, `${indent}  `)}`
        : `${indent}${key}: ${JSON.stringify(value)}\n`,
    )
    .join("");

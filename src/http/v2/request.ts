/*
 * The body of an inference as the protocol writes it: a JSON object, behind which the bytes of
 * tensors may follow. Here is checked what can be without knowing the model.
 */
import { type Fault, SluiceError } from "../../errors.ts";
import { exactJson } from "../../store/whole.ts";
import { jsonOfText, textOf } from "../body.ts";
import { isObject, shown } from "../instances.ts";
import { DATATYPES, type Datatype } from "./datatypes.ts";

/** A tensor as it was sent. */
export interface SentTensor {
  /** Where it stands in the body. */
  readonly path: string;
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** JSON values, flat or nested; or bytes. */
  readonly data: readonly unknown[] | Uint8Array;
}

/** An output that is wanted. */
export interface WantedOutput {
  readonly path: string;
  readonly name: string;
  readonly binary: boolean;
}

export interface InferRequest {
  readonly id: string | null;
  readonly inputs: readonly SentTensor[];
  /** Null: all of them, binary or not as `binary` says. */
  readonly outputs: readonly WantedOutput[] | null;
  readonly binary: boolean;
  /** The whole body where it is the bytes of a tensor and nothing else (raw.ts). */
  readonly raw: Uint8Array | null;
}

type Members = Readonly<Record<string, unknown>>;

/** Some clients repeat the model of the address. */
const MEMBERS = ["id", "parameters", "inputs", "outputs", "model_name", "model_version"];
const MOST_RANK = 16;
const MOST_FAULTS = 20;

/** Collects what is wrong with a request. */
export interface Refusal {
  add(path: string, message: string): void;
  /** Throws `invalid_inference` (400) with all that was told. */
  throwIfAny(): void;
}

export function makeRefusal(): Refusal {
  const faults: Fault[] = [];
  let count = 0;
  return {
    add: (path, message) => {
      count++;
      if (faults.length < MOST_FAULTS) faults.push({ path: path.slice(0, 200), message });
    },
    throwIfAny: () => {
      if (count === 0) return;
      const told = faults.map(({ path, message }) =>
        path === "" ? message : `${path}: ${message}`,
      );
      const more = count > faults.length ? `; and ${count - faults.length} more` : "";
      throw new SluiceError({
        code: "invalid_inference",
        status: 400,
        detail: `The request is not accepted: ${told.join("; ")}${more}.`,
        fix: "Correct what is listed; the model's metadata tells names, datatypes and shapes.",
        faults,
      });
    },
  };
}

/**
 * Reads a body; `header` is the Inference-Header-Content-Length, null without one. Throws
 * `invalid_inference`, `bad_json` or `bad_encoding` (400).
 */
export function readInfer(body: Uint8Array, header: string | null): InferRequest {
  if (header === "0") return { id: null, inputs: [], outputs: null, binary: true, raw: body };
  const refusal = makeRefusal();
  const size = headerSize(body, header, refusal);
  refusal.throwIfAny();
  // Whole numbers past 2^53 come as bigint, so that none of them is rounded.
  const value = jsonOfText(textOf(body.subarray(0, size)), exactJson);
  if (!isObject(value)) {
    refusal.add("", `expected an object with "inputs", not ${shown(value)}`);
    refusal.throwIfAny();
  }
  const request = value as Members;
  known(request, MEMBERS, "", refusal);
  const { id = null } = request;
  if (id !== null && typeof id !== "string") refusal.add("id", `expected a text, not ${shown(id)}`);
  const parameters = parametersOf(request, "", refusal);
  const sequence = parameters["sequence_id"];
  if (sequence !== undefined && sequence !== 0 && sequence !== "") {
    refusal.add("parameters.sequence_id", "models here keep nothing between requests");
  }
  const rest = header === null ? null : body.subarray(size);
  const inputs = inputsOf(request, rest, refusal);
  const binary = flagOf(parameters, "binary_data_output", "parameters", refusal) ?? false;
  const outputs = outputsOf(request, binary, refusal);
  refusal.throwIfAny();
  return { id: id as string | null, inputs, outputs, binary, raw: null };
}

function headerSize(body: Uint8Array, header: string | null, refusal: Refusal): number {
  if (header === null) return body.length;
  const size = /^\d{1,9}$/.test(header) ? Number(header) : Number.NaN;
  if (size <= body.length) return size;
  const told = `expected a whole number up to the ${body.length} bytes of the body`;
  refusal.add("Inference-Header-Content-Length", `${told}, not ${shown(header)}`);
  return 0;
}

function inputsOf(request: Members, rest: Uint8Array | null, refusal: Refusal): SentTensor[] {
  const { inputs } = request;
  if (!Array.isArray(inputs) || inputs.length === 0) {
    refusal.add("inputs", "expected an array of tensors");
    return [];
  }
  const tensors: SentTensor[] = [];
  let at = 0;
  for (const [i, tensor] of inputs.entries()) {
    const path = `inputs[${i}]`;
    if (!isObject(tensor)) {
      refusal.add(path, `expected a tensor, not ${shown(tensor)}`);
      continue;
    }
    known(tensor, ["name", "shape", "datatype", "parameters", "data"], path, refusal);
    const name = nameOf(tensor, path, refusal);
    const datatype = datatypeIn(tensor, path, refusal);
    const shape = shapeOf(tensor, path, refusal);
    const size = sizeOf(tensor, path, rest, at, refusal);
    const data = size === null ? dataOf(tensor, path, refusal) : rest?.subarray(at, at + size);
    at += size ?? 0;
    if (name === null || datatype === null || shape === null || data == null) continue;
    tensors.push({ path, name, datatype, shape, data });
  }
  if (rest !== null && at < rest.length) {
    refusal.add("", `${rest.length - at} bytes follow the tensors and belong to none`);
  }
  return tensors;
}

/** The bytes of a tensor behind the JSON, or null where its data are in the JSON. */
function sizeOf(
  tensor: Members,
  path: string,
  rest: Uint8Array | null,
  at: number,
  refusal: Refusal,
): number | null {
  const parameters = parametersOf(tensor, path, refusal);
  const size = parameters["binary_data_size"];
  if (parameters["shared_memory_region"] !== undefined) {
    refusal.add(`${path}.parameters.shared_memory_region`, "there is no shared memory here");
  }
  if (size === undefined) return null;
  const where = `${path}.parameters.binary_data_size`;
  if (tensor["data"] !== undefined) refusal.add(where, "stands beside data; one of them is needed");
  if (rest === null) {
    refusal.add(where, "needs the header Inference-Header-Content-Length");
    return null;
  }
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) {
    if (at + size <= rest.length) return size;
    refusal.add(where, `is ${size}, of which ${Math.max(0, rest.length - at)} bytes came`);
    return size;
  }
  refusal.add(where, `expected a whole number, not ${shown(size)}`);
  return 0;
}

function outputsOf(request: Members, usual: boolean, refusal: Refusal): WantedOutput[] | null {
  const { outputs = null } = request;
  if (outputs === null || (Array.isArray(outputs) && outputs.length === 0)) return null;
  if (!Array.isArray(outputs)) {
    refusal.add("outputs", `expected an array of outputs, not ${shown(outputs)}`);
    return null;
  }
  return outputs.flatMap((output, i): WantedOutput[] => {
    const path = `outputs[${i}]`;
    if (!isObject(output)) {
      refusal.add(path, `expected an object with a name, not ${shown(output)}`);
      return [];
    }
    known(output, ["name", "parameters"], path, refusal);
    const parameters = parametersOf(output, path, refusal);
    for (const name of ["classification", "shared_memory_region"]) {
      if (parameters[name]) refusal.add(`${path}.parameters.${name}`, "is not offered here");
    }
    const binary = flagOf(parameters, "binary_data", `${path}.parameters`, refusal) ?? usual;
    const name = nameOf(output, path, refusal);
    return name === null ? [] : [{ path, name, binary }];
  });
}

function known(of: Members, names: readonly string[], path: string, refusal: Refusal): void {
  for (const name of Object.keys(of)) {
    if (names.includes(name)) continue;
    refusal.add(
      path === "" ? name : `${path}.${name}`,
      `is not known; accepted: ${names.join(", ")}`,
    );
  }
}

function nameOf(of: Members, path: string, refusal: Refusal): string | null {
  const name = of["name"];
  if (typeof name === "string") return name;
  refusal.add(`${path}.name`, "expected the name of a tensor");
  return null;
}

function datatypeIn(of: Members, path: string, refusal: Refusal): Datatype | null {
  const found = DATATYPES.find((datatype) => datatype === of["datatype"]);
  if (found !== undefined) return found;
  refusal.add(`${path}.datatype`, `expected one of ${DATATYPES.join(", ")}`);
  return null;
}

function shapeOf(of: Members, path: string, refusal: Refusal): number[] | null {
  const shape = of["shape"];
  const isShape =
    Array.isArray(shape) &&
    shape.length <= MOST_RANK &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 1);
  if (isShape) return shape;
  refusal.add(`${path}.shape`, `expected an array of up to ${MOST_RANK} whole numbers from 1 on`);
  return null;
}

function dataOf(of: Members, path: string, refusal: Refusal): readonly unknown[] | null {
  const { data } = of;
  if (Array.isArray(data)) return data;
  refusal.add(`${path}.data`, data === undefined ? "is needed" : "expected an array");
  return null;
}

function parametersOf(of: Members, path: string, refusal: Refusal): Members {
  const { parameters = null } = of;
  if (parameters === null) return {};
  const where = path === "" ? "parameters" : `${path}.parameters`;
  if (!isObject(parameters)) {
    refusal.add(where, `expected an object, not ${shown(parameters)}`);
    return {};
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (["string", "number", "boolean", "bigint"].includes(typeof value)) continue;
    refusal.add(`${where}.${name}`, `expected a text, a number, true or false`);
  }
  return parameters;
}

function flagOf(of: Members, name: string, path: string, refusal: Refusal): boolean | null {
  const value = of[name];
  if (value === undefined || typeof value === "boolean") return value ?? null;
  refusal.add(`${path}.${name}`, "expected true or false");
  return null;
}

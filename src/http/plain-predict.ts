/*
 * Rows for a file that was not made here, where it takes a tensor a column, as what skl2onnx makes
 * of a pipeline over a data frame does: each input [N] or [N, 1], named as its column.
 */
import { SluiceError } from "../errors.ts";
import type { Watch } from "../serve/batch.ts";
import { type LoadedPlain, tensorsOnly } from "../serve/loaded.ts";
import type { PlainTensor, PlainTensors } from "../serve/plain.ts";
import { assertRowCount, instancesOf, isObject, makeFaults, shown } from "./instances.ts";
import { elementType, specOf, type TensorSpec } from "./v2/datatypes.ts";
import { fromJson } from "./v2/decode.ts";

/** Rows as the file takes them. */
export interface PlainRows {
  readonly inputs: PlainTensors;
  readonly rows: number;
}

/** What is said of a row: a class and what speaks for each, or every output by its name. */
export type PlainPrediction =
  | { readonly id: string; readonly label: Cell; readonly probabilities: readonly Cell[] }
  | { readonly id: string; readonly outputs: Readonly<Record<string, Cell | readonly Cell[]>> };

type Cell = string | number | boolean;

/** Throws where rows cannot be made into its tensors: what ails it, or `tensors_only` (422). */
export function columnsOf({ plain, trouble }: LoadedPlain): readonly TensorSpec[] {
  if (trouble !== null) throw trouble;
  return plain.signature.inputs.map((input) => {
    const spec = specOf(input);
    const { shape, name } = spec;
    const isColumn = shape !== null && shape[0] === -1 && (shape.length === 1 || shape[1] === 1);
    if (isColumn && shape.length <= 2) return spec;
    throw tensorsOnly(`its input "${name}" is ${shape === null ? "of any shape" : `[${shape}]`}`);
  });
}

/**
 * The rows of `{"instances": [{column: value}]}`; every column is wanted, null is not taken. 422
 * with the faults of every row, 413 above the cap.
 */
export function rowsOfPlainJson(body: unknown, columns: readonly TensorSpec[]): PlainRows {
  const faults = makeFaults();
  const instances = instancesOf(body, faults);
  faults.throwIfAny();
  assertRowCount(instances.length);
  const known = new Set(columns.map(({ name }) => name));
  const objects = instances.map((instance, at) => {
    if (!isObject(instance)) {
      faults.add(`instances[${at}]`, `expected an object of columns, not ${shown(instance)}`);
      return {};
    }
    for (const name of Object.keys(instance)) {
      if (!known.has(name)) faults.add(`instances[${at}].${name}`, "is no input of the model");
    }
    for (const name of known) {
      if (!Object.hasOwn(instance, name)) faults.add(`instances[${at}].${name}`, "is missing");
    }
    return instance;
  });
  faults.throwIfAny();
  const inputs: Record<string, PlainTensor> = {};
  for (const { name, datatype, shape } of columns) {
    const values = objects.map((instance) => (instance as Record<string, unknown>)[name]);
    const data = fromJson(datatype, values, (at, message) =>
      faults.add(`instances[${at ?? 0}].${name}`, message),
    );
    if (data === null) continue;
    const rest = shape?.slice(1) ?? [];
    inputs[name] = { type: elementType(datatype), shape: [values.length, ...rest], data };
  }
  faults.throwIfAny();
  return { inputs, rows: objects.length };
}

/**
 * One prediction a row, in the order of the rows. `tensors_only` (422) where an output is not one
 * of rows, `non_finite_output` where one holds no finite number.
 */
export async function predictPlain(
  { plain }: LoadedPlain,
  { inputs, rows }: PlainRows,
  watch?: Watch,
): Promise<readonly PlainPrediction[]> {
  const names = plain.signature.outputs.map(({ name }) => name);
  const began = performance.now();
  const answers = await plain.run(inputs, names);
  watch?.run(rows, (performance.now() - began) / 1000);
  const outputs = names.map((name) => rowsOfOutput(name, answers[name], rows));
  const id = Bun.randomUUIDv7();
  const pair = classesOf(outputs);
  return Array.from({ length: rows }, (_, row) =>
    pair === null
      ? {
          id: `${id}-${row}`,
          outputs: Object.fromEntries(outputs.map(({ name, at }) => [name, at(row)])),
        }
      : {
          id: `${id}-${row}`,
          label: pair.label.at(row) as Cell,
          probabilities: pair.probabilities.at(row) as readonly Cell[],
        },
  );
}

interface Output {
  readonly name: string;
  readonly isText: boolean;
  readonly isFloat: boolean;
  /** Elements a row; 0 where it is one that is no list. */
  readonly width: number;
  at(row: number): Cell | readonly Cell[];
}

function rowsOfOutput(name: string, tensor: PlainTensor | undefined, rows: number): Output {
  const { type, shape, data } = tensor ?? { type: "undefined", shape: [], data: [] };
  if (shape[0] !== rows || shape.length > 2) {
    throw tensorsOnly(`its output "${name}" is [${shape}] for ${rows} rows`);
  }
  const [, width = 1] = shape;
  const cell = (at: number): Cell => cellOf(name, type, data[at]);
  return {
    name,
    isText: type === "string" || type.includes("int"),
    isFloat: type.startsWith("float"),
    width: width === 1 ? 0 : width,
    at: (row) =>
      width === 1
        ? cell(row)
        : Array.from({ length: width }, (_, column) => cell(row * width + column)),
  };
}

/** A class of each row beside a number for each class, whatever they are called. */
function classesOf(outputs: readonly Output[]) {
  const label = outputs.find(({ isText, width }) => isText && width === 0);
  const probabilities = outputs.find(({ isFloat, width }) => isFloat && width > 0);
  if (outputs.length !== 2 || label === undefined || probabilities === undefined) return null;
  return { label, probabilities };
}

/** An element as JSON has it: whole numbers that it would round come as a text. */
function cellOf(name: string, type: string, value: string | number | bigint | undefined): Cell {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  if (typeof value === "string") return value;
  if (type === "bool") return value === 1;
  if (value !== undefined && Number.isFinite(value)) return value;
  throw new SluiceError({
    code: "non_finite_output",
    detail: `The output "${name}" holds a value that is not a finite number.`,
    fix: "Look at the rows, or ask at /v2 for the output as binary data.",
  });
}

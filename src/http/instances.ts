/*
 * Rows to predict, checked whole: every fault of every row is told at once, with its path. Only
 * JSON numbers and null (missing) are columns' values; nothing is turned into a number by guess.
 */
import { type Fault, SluiceError } from "../errors.ts";
import { invalid } from "./body.ts";

/** Rows as the model takes them: float32, row-major, NaN where missing. */
export interface Rows {
  readonly features: Float32Array;
  readonly rows: number;
}

export const MAX_ROWS = 10_000;
/** Beyond these many, further faults are only counted. */
const MAX_FAULTS = 1_000;
/** Past 2^53 a JSON number may not be the one that was written. */
const MOST = Number.MAX_SAFE_INTEGER;

/** Collects faults: a body with a million of them costs no more than one with a thousand. */
export interface Faults {
  add(path: string, message: string): void;
  /** Throws `invalid_instances` (422) when there were any. */
  throwIfAny(): void;
}

/** An empty collection of faults. */
export function makeFaults(): Faults {
  const kept: Fault[] = [];
  let count = 0;
  return {
    add: (path, message) => {
      count++;
      if (kept.length < MAX_FAULTS) kept.push({ path, message });
    },
    throwIfAny: () => {
      if (count === 0) return;
      if (count > kept.length) kept.push({ path: "", message: `${count - kept.length} more` });
      throw invalid("invalid_instances", "The body", kept);
    },
  };
}

/**
 * The rows of `{"instances": [{column: number or null}]}`; 422 with every fault, 413 above the cap.
 */
export function rowsOfJson(body: unknown, columns: readonly string[]): Rows {
  const faults = makeFaults();
  const instances = instancesOf(body, faults);
  faults.throwIfAny();
  assertRowCount(instances.length);
  const features = new Float32Array(instances.length * columns.length);
  const known = new Set(columns);
  for (const [i, instance] of instances.entries()) {
    if (!isObject(instance)) {
      faults.add(`instances[${i}]`, `expected an object of columns, not ${shown(instance)}`);
      continue;
    }
    for (const name of Object.keys(instance)) {
      if (!known.has(name)) faults.add(`instances[${i}].${name}`, "is no column of the model");
    }
    for (const [c, name] of columns.entries()) {
      const path = `instances[${i}].${name}`;
      if (!Object.hasOwn(instance, name)) faults.add(path, "is missing; give null if not known");
      else features[i * columns.length + c] = numberOf(instance[name], path, faults);
    }
  }
  faults.throwIfAny();
  return { features, rows: instances.length };
}

/** The rows of `{"instances": [...]}`; what else it is goes to the faults. */
export function instancesOf(body: unknown, faults: Faults): readonly unknown[] {
  if (!isObject(body)) {
    faults.add("", `expected an object with "instances", not ${shown(body)}`);
    return [];
  }
  for (const name of Object.keys(body)) {
    if (name !== "instances") faults.add(name, "is not known; accepted: instances");
  }
  const { instances } = body;
  if (!Object.hasOwn(body, "instances")) faults.add("instances", "is needed");
  else if (!Array.isArray(instances)) {
    faults.add("instances", `expected an array of rows, not ${shown(instances)}`);
  } else if (instances.length === 0) faults.add("instances", "expected at least one row");
  return Array.isArray(instances) ? instances : [];
}

function numberOf(value: unknown, path: string, faults: Faults): number {
  if (value === null) return Number.NaN;
  if (typeof value === "number" && Math.abs(value) <= MOST) return value;
  faults.add(
    path,
    typeof value === "number"
      ? "expected a finite number within 2^53"
      : `expected a number or null, not ${shown(value)}`,
  );
  return Number.NaN;
}

/** Throws `too_many_rows` (413) above the cap. */
export function assertRowCount(rows: number): void {
  if (rows <= MAX_ROWS) return;
  throw new SluiceError({
    code: "too_many_rows",
    status: 413,
    detail: `The body has ${rows} rows; one request takes ${MAX_ROWS} at most.`,
    fix: "Send the rows in several requests.",
  });
}

/** Whether it is a JSON object. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value as a fault may repeat it. */
export function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  const text = typeof value === "bigint" ? `${value}` : (JSON.stringify(value) ?? "nothing");
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

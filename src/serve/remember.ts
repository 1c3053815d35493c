/*
 * Answers given again to the same rows. What is kept is named by the digest of the model that
 * answers and by the rows as they were checked, so an answer of one version is never another's.
 */
import { createHash } from "node:crypto";
import { canonicalJson } from "../feature/digest.ts";
import type { Frame } from "../learn/types.ts";
import type { Cache } from "../store/cache.ts";

/** What a version is asked: rows as it takes them. */
export interface Question {
  /** Of the artifact that answers. */
  readonly digest: string;
  readonly isExplained: boolean;
  /** Row-major features, or a table's columns. */
  readonly values: readonly (Float32Array | Int32Array)[];
  /** What is said of rows beside their answers, by row. */
  readonly warnings: readonly (readonly [row: number, texts: readonly string[]])[];
}

export interface Remembered {
  readonly predictions: readonly object[];
  /** Of an error the cache is to blame: it was as if nothing were there. */
  readonly result: "hit" | "miss" | "error";
}

/** Gives the answer of before with ids of its own, or the one that `predict` gives. */
export type Remember = (
  question: Question,
  predict: () => readonly object[] | Promise<readonly object[]>,
) => Promise<Remembered>;

/** A longer answer costs more to carry about than to make. */
const MOST_CHARACTERS = 256 * 1024;

/** Answers remembered in a cache. */
export const makeRemember =
  (cache: Cache): Remember =>
  async (question, predict) => {
    const key = keyOf(question);
    const found = await cache.get(key);
    const known = found.result === "hit" ? predictionsOf(found.text) : null;
    if (known !== null) {
      const id = Bun.randomUUIDv7();
      const predictions = known.map((one, row) => ({ id: `${id}-${row}`, ...one }));
      return { predictions, result: "hit" };
    }
    const predictions = await predict();
    const text = JSON.stringify(predictions.map((one) => ({ ...one, id: undefined })));
    if (text.length <= MOST_CHARACTERS) cache.set(key, text);
    return { predictions, result: found.result === "miss" ? "miss" : "error" };
  };

/** Of a market version: rows of features, NaN where missing. */
export const marketQuestion = (
  digest: string,
  features: Float32Array,
  isExplained: boolean,
): Question => ({ digest, isExplained, values: [features], warnings: [] });

interface Checked {
  readonly frame: Frame;
  readonly warnings: ReadonlyMap<number, readonly string[]>;
}

/** Of a table version: categories count by their codes, whose levels belong to the artifact. */
export const tableQuestion = (
  digest: string,
  { frame, warnings }: Checked,
  isExplained: boolean,
): Question => ({
  ...{ digest, isExplained, warnings: [...warnings] },
  values: frame.columns.map((column) => (column.kind === "number" ? column.values : column.codes)),
});

/** The form of what is kept; another one needs another name. */
const FORM = "sluice:answer:1";

function keyOf({ digest, isExplained, values, warnings }: Question): string {
  const hash = createHash("sha256");
  const sizes = values.map(({ length }) => length);
  hash.update(canonicalJson({ isExplained, sizes, warnings }));
  for (const { buffer, byteOffset, byteLength } of values) {
    // There is one NaN here, that of a cell that is missing, and so one pattern of bits.
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return `${FORM}:${digest}:${hash.digest("hex")}`;
}

/** What was kept, or null where it is nothing that was kept by this program. */
function predictionsOf(text: string): readonly object[] | null {
  try {
    const value: unknown = JSON.parse(text);
    const isList = Array.isArray(value) && value.every((one) => typeof one === "object" && one);
    return isList ? value : null;
  } catch {
    return null;
  }
}

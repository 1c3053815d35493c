/* Small frames and samples for the tests of this room; nothing else imports it. */
import { makeRandom } from "./random.ts";
import type { CategoryColumn, Frame, NumberColumn, Sample } from "./types.ts";

export const numbers = (name: string, values: ArrayLike<number>): NumberColumn => ({
  name,
  kind: "number",
  values: Float32Array.from(values),
});

/** A category column of texts; null is missing. Levels are in alphabetical order. */
export const categories = (name: string, values: readonly (string | null)[]): CategoryColumn => {
  const levels = [...new Set(values.filter((v) => v !== null))].sort();
  const codes = Int32Array.from(values, (v) => (v === null ? -1 : levels.indexOf(v)));
  return { name, kind: "category", codes, levels };
};

export const frameOf = (...columns: Frame["columns"]): Frame => {
  const first = columns[0];
  const rows =
    first === undefined ? 0 : first.kind === "number" ? first.values.length : first.codes.length;
  return { rows, columns };
};

export const sampleOf = (
  frame: Frame,
  target: ArrayLike<number>,
  weight: ArrayLike<number> | null = null,
): Sample => ({
  frame,
  target: Float64Array.from(target),
  weight: weight === null ? null : Float64Array.from(weight),
});

/** n numbers of roughly a normal distribution. */
export const normals = (n: number, seed: number): Float64Array => {
  const random = makeRandom(seed);
  return Float64Array.from({ length: n }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random.next();
    return sum;
  });
};

/**
 * Rows with two useful number columns (one partly missing), one of noise, one useful category
 * column, and outcomes that follow them by chance.
 */
export const mixedSample = (rows: number, seed: number): Sample => {
  const random = makeRandom(seed);
  const [a, b, noise] = [normals(rows, seed + 1), normals(rows, seed + 2), normals(rows, seed + 3)];
  const towns = ["amsterdam", "busan", "cairo", "delhi", "essen", "fez", "graz"];
  const town = Array.from({ length: rows }, () => towns[random.integer(towns.length)]!);
  const target = Float64Array.from({ length: rows }, (_, i) => {
    const margin = 1.5 * a[i]! + (b[i]! > 0 ? 1 : -1) + (town[i]! < "d" ? 1 : -1);
    return random.next() < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
  });
  const holed = a.map((x, i) => (i % 10 === 3 ? Number.NaN : x));
  const frame = frameOf(
    numbers("a", holed),
    numbers("b", b),
    numbers("noise", noise),
    categories(
      "town",
      town.map((t, i) => (i % 25 === 7 ? null : t)),
    ),
  );
  return sampleOf(frame, target);
};

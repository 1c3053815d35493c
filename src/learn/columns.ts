/*
 * Learning from some columns of a frame and answering rows of all of them: the parts of a version
 * may look at different columns, while its artifact has one input.
 */
import { SluiceError } from "../errors.ts";
import type { ColumnShape, Frame, Model } from "./types.ts";

/** The named columns of a frame, in the order of the names. Throws `column_mismatch`. */
export const pickColumns = (frame: Frame, names: readonly string[]): Frame => ({
  rows: frame.rows,
  columns: names.map((name) => frame.columns[placeOf(frame.columns, name)]!),
});

/**
 * A model of some columns as a model of all of them, with the same answers. Throws `column_mismatch`
 * when a column of the model is not among them.
 */
export const widened = (model: Model, columns: readonly ColumnShape[]): Model => {
  if (model.kind === "constant") return { ...model, columns };
  const places = model.columns.map(({ name }) => placeOf(columns, name));
  if (model.kind === "trees") {
    const move = (feature: number) => (feature < 0 ? feature : places[feature]!);
    const trees = model.trees.map((tree) => ({ ...tree, feature: tree.feature.map(move) }));
    return { ...model, trees, columns };
  }
  const spread = (values: Float64Array, other: number): Float64Array => {
    const wide = new Float64Array(columns.length).fill(other);
    places.forEach((place, at) => {
      wide[place] = values[at]!;
    });
    return wide;
  };
  const { levels, missing } = model;
  return {
    ...model,
    weights: spread(model.weights, 0),
    means: spread(model.means, 0),
    scales: spread(model.scales, 1),
    ...(missing === undefined ? {} : { missing: spread(missing, 0) }),
    ...(levels === undefined
      ? {}
      : { levels: columns.map((_, place) => levels[places.indexOf(place)] ?? null) }),
    columns,
  };
};

const placeOf = (columns: readonly { readonly name: string }[], name: string): number => {
  const place = columns.findIndex((column) => column.name === name);
  if (place >= 0) return place;
  throw new SluiceError({
    code: "column_mismatch",
    status: 422,
    detail: `column ${name} is not among ${columns.map((column) => column.name).join(", ")}`,
    fix: "Name columns that the frame has.",
  });
};

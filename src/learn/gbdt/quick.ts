/*
 * Margins of a tree model without walking its trees, for a model that is asked all day. Each tree
 * has a bit a leaf; a test that fails clears the bits of the leaves on its left. What is left of
 * the lowest bit after all tests is the leaf that a walk would have come to: QuickScorer
 * (Lucchese et al., SIGIR 2015). Here the tests of a column are taken together beforehand, for each
 * value that they tell apart, so that a row costs one `and` a column and tree, and no branch.
 */
import type { Column, Frame, Tree, TreeModel } from "../types.ts";

/** A tree model made ready. */
export interface Quick {
  /** The margins of a frame whose columns are the model's, in order; as `treeMargins` has them. */
  margins(frame: Frame): Float64Array;
  /** Rows in which every code of every column comes up, to try a second reading of the model by. */
  probe(): Frame;
}

/**
 * The tables of a model. Masks of a code: blocks x words x 16 numbers, the 16 trees of a block
 * beside each other. Values: words x 32 a tree.
 */
export interface Layout {
  readonly base: number;
  readonly columns: number;
  readonly blocks: number;
  readonly words: number;
  readonly masks: Uint32Array;
  readonly values: Float64Array;
  /** Where each column's codes begin, in codes. */
  readonly starts: readonly number[];
  /** Codes of the rows now asked, row by row: `starts` included. */
  readonly codes: Uint32Array;
}

/** Writes the margins of the first `rows` rows of `codes` to `margins`, from `at` on. */
export type Score = (rows: number, margins: Float64Array, at: number) => void;

/** Gives arrays for tables and what works on them. */
export interface QuickEngine {
  words(length: number): Uint32Array;
  doubles(length: number): Float64Array;
  /** Asked once, when the tables are filled. */
  score(layout: Layout): Score;
}

export const TREES = 16;
const LEAVES = 32;
/** Rows that are scored together; a larger frame goes in pieces. */
export const ROWS = 256;
/** Tables beyond this are slower than walking, and no longer small. */
const MOST_BYTES = 32 * 1024 * 1024;

/** How a column's values become codes; the last one is missing. */
type Coder =
  | { readonly kind: "number"; readonly place: number; readonly edges: Float32Array }
  | { readonly kind: "category"; readonly place: number; readonly levels: number };

/** The model made ready by an engine, or null where its tables would be too large. */
export const makeQuick = (model: TreeModel, engine: QuickEngine): Quick | null => {
  const steps = quickSteps(model, engine);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
};

/** The same in steps of a fraction of a millisecond, between which others may have their turn. */
export function* quickSteps(
  model: TreeModel,
  engine: QuickEngine,
): Generator<undefined, Quick | null> {
  const coders = codersOf(model);
  const leaves = Math.max(1, ...model.trees.map(leavesOf));
  const words = Math.ceil(leaves / LEAVES);
  const blocks = Math.ceil(model.trees.length / TREES);
  const stride = blocks * words * TREES;
  const codes = coders.reduce((sum, coder) => sum + sizeOf(coder), 0);
  if (codes * stride * 4 > MOST_BYTES) return null;
  const starts: number[] = [];
  for (let c = 0, at = 0; c < coders.length; at += sizeOf(coders[c++]!)) starts.push(at);
  const layout: Layout = {
    ...{ base: model.base, columns: coders.length, blocks, words, starts },
    masks: engine.words(codes * stride).fill(0xffffffff),
    values: engine.doubles(blocks * TREES * words * LEAVES),
    codes: engine.words(ROWS * coders.length),
  };
  const byColumn = new Map(coders.map((coder, c) => [coder.place, c]));
  for (const [t, tree] of model.trees.entries()) {
    addTree(tree, t, layout, coders, byColumn);
    if (t % TREES === TREES - 1) yield;
  }
  const score = engine.score(layout);
  return {
    margins: (frame) => {
      const margins = new Float64Array(frame.rows);
      for (let from = 0; from < frame.rows; from += ROWS) {
        const rows = Math.min(ROWS, frame.rows - from);
        for (let c = 0; c < coders.length; c++) {
          const coder = coders[c]!;
          encode(coder, frame.columns[coder.place]!, from, rows, layout, c);
        }
        score(rows, margins, from);
      }
      return margins;
    },
    probe: () => probeOf(model, coders),
  };
}

const sizeOf = (coder: Coder): number =>
  coder.kind === "number" ? coder.edges.length + 2 : coder.levels + 1;

const leavesOf = ({ feature }: Tree): number => feature.filter((column) => column === -1).length;

/** Of the columns that any tree looks at. */
const codersOf = ({ trees, columns }: TreeModel): Coder[] => {
  const edges = columns.map(() => new Set<number>());
  const isUsed = columns.map(() => false);
  for (const { feature, threshold } of trees) {
    for (const [node, column] of feature.entries()) {
      if (column === -1) continue;
      isUsed[column] = true;
      edges[column]!.add(threshold[node]!);
    }
  }
  return columns.flatMap(({ kind, levels = [] }, place): Coder[] => {
    if (!isUsed[place]) return [];
    if (kind === "category") return [{ kind, place, levels: levels.length }];
    return [{ kind, place, edges: Float32Array.from(edges[place]!).sort() }];
  });
};

/** Numbers a tree's leaves from the left, and lets each test that fails clear those on its left. */
const addTree = (
  tree: Tree,
  t: number,
  { masks, values, blocks, words, starts }: Layout,
  coders: readonly Coder[],
  byColumn: ReadonlyMap<number, number>,
): void => {
  const stride = blocks * words * TREES;
  const lane = Math.floor(t / TREES) * words * TREES + (t % TREES);
  let leaves = 0;
  const clear = (column: number, code: number, from: number, to: number): void => {
    const at = (starts[column]! + code) * stride + lane;
    for (let word = from >> 5; word << 5 < to; word++) {
      const first = Math.max(0, from - (word << 5));
      const count = Math.min(32, to - (word << 5)) - first;
      const bits = (count === 32 ? -1 : (1 << count) - 1) << first;
      const place = at + word * TREES;
      masks[place] = masks[place]! & ~bits;
    }
  };
  const add = (node: number): void => {
    const place = tree.feature[node]!;
    if (place === -1) {
      values[t * words * LEAVES + leaves++] = tree.value[node]!;
      return;
    }
    const first = leaves;
    add(tree.left[node]!);
    const column = byColumn.get(place)!;
    const coder = coders[column]!;
    const last = sizeOf(coder) - 1;
    for (let code = 0; code < last; code++) {
      if (!goesLeft(tree, node, coder, code)) clear(column, code, first, leaves);
    }
    if (tree.missingLeft[node] !== 1) clear(column, last, first, leaves);
    add(tree.right[node]!);
  };
  add(0);
};

/** A number's code k stands for edges[k - 1] < x <= edges[k]. */
const goesLeft = (tree: Tree, node: number, coder: Coder, code: number): boolean =>
  coder.kind === "number"
    ? code < coder.edges.length && coder.edges[code]! <= tree.threshold[node]!
    : tree.categories[node]!.includes(code);

const encode = (
  coder: Coder,
  column: Column,
  from: number,
  rows: number,
  { codes, columns, starts }: Layout,
  c: number,
): void => {
  const start = starts[c]!;
  const missing = start + sizeOf(coder) - 1;
  if (coder.kind === "category") {
    const given = (column as Extract<Column, { kind: "category" }>).codes;
    for (let row = 0, at = c; row < rows; row++, at += columns) {
      const code = given[from + row]!;
      codes[at] = code < 0 ? missing : start + code;
    }
    return;
  }
  const given = (column as Extract<Column, { kind: "number" }>).values;
  for (let row = 0, at = c; row < rows; row++, at += columns) {
    const x = given[from + row]!;
    codes[at] = Number.isNaN(x) ? missing : start + below(coder.edges, x);
  }
};

/** How many edges are below x. */
const below = (edges: Float32Array, x: number): number => {
  let low = 0;
  for (let high = edges.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (edges[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** As many rows as the longest column has codes; shorter ones begin again, each out of step. */
const probeOf = ({ columns }: TreeModel, coders: readonly Coder[]): Frame => {
  const rows = Math.max(1, ...coders.map(sizeOf));
  return {
    rows,
    columns: columns.map(({ name, kind, levels = [] }, place): Column => {
      const coder = coders.find((one) => one.place === place);
      const size = coder === undefined ? 1 : sizeOf(coder);
      const codes = Array.from({ length: rows }, (_, row) => (row + 7 * place) % size);
      if (kind === "category") {
        const isThere = (code: number) => code < levels.length;
        const given = codes.map((code) => (isThere(code) ? code : -1));
        return { name, kind, levels, codes: Int32Array.from(given) };
      }
      const edges = coder?.kind === "number" ? coder.edges : new Float32Array();
      const most = edges.at(-1) ?? 0;
      const valueAt = (code: number): number => {
        if (code < edges.length) return edges[code]!;
        return code === edges.length ? most + 1 + Math.abs(most) : Number.NaN;
      };
      return { name, kind, values: Float32Array.from(codes, valueAt) };
    }),
  };
};

/** The engine without WebAssembly. */
export const plainQuick: QuickEngine = {
  words: (length) => new Uint32Array(length),
  doubles: (length) => new Float64Array(length),
  score: (layout) => {
    const { base, columns, blocks, words, masks, values, codes } = layout;
    const stride = blocks * words * TREES;
    return (rows, margins, at) => {
      for (let row = 0; row < rows; row++) {
        let sum = base;
        for (let t = 0; t < blocks * TREES; t++) {
          const lane = Math.floor(t / TREES) * words * TREES + (t % TREES);
          for (let word = 0; word < words; word++) {
            let mask = -1;
            for (let c = 0; c < columns; c++) {
              mask &= masks[codes[row * columns + c]! * stride + lane + word * TREES]!;
            }
            if (mask === 0) continue;
            const leaf = word * LEAVES + (31 - Math.clz32(mask & -mask));
            sum += values[t * words * LEAVES + leaf]!;
            break;
          }
        }
        margins[at + row] = sum;
      }
    };
  },
};

/*
 * Exact path-dependent SHAP values of one tree (Lundberg et al. 2018, algorithm 2), by quadrature.
 *
 * For one leaf of value v, each column j on its path has a share z_j (the product of the cover
 * shares of its splits there) and o_j, 1 if the row passes all of them, else 0. Its value is
 *
 *   v (o_j - z_j) x integral over t in [0, 1] of prod_(i != j) (o_i t + z_i (1 - t)) dt,
 *
 * since the Shapley weight |S|! (d - 1 - |S|)! / d! is the integral of t^|S| (1 - t)^(d - 1 - |S|).
 * The integrand has degree d - 1 and no term that cancels another, so Gauss and Legendre's rule
 * with d / 2 points is exact. Leaves share their paths: one walk down multiplies, one walk up adds,
 * and a column split twice on a path is mended by taking its earlier term back (the telescoping
 * sum of Yu et al. 2022). That costs O(leaves x d) a row; algorithm 2 costs O(leaves x d^2).
 */
import { gaussLegendre } from "./quadrature.ts";
import type { Column, Tree } from "./types.ts";

/** All of a tree that does not depend on rows. Nodes are in preorder, so a parent precedes its children. */
export interface TreePlan {
  readonly size: number;
  /** Of each node: column of its split or -1, threshold, members of its set, where missing goes. */
  readonly split: Int32Array;
  readonly threshold: Float32Array;
  readonly members: readonly (Uint8Array | null)[];
  readonly missingLeft: Uint8Array;
  readonly value: Float64Array;
  /** Of each node but the root: its parent, whether it is the left child, the parent's column. */
  readonly parent: Int32Array;
  readonly isLeft: Uint8Array;
  readonly column: Int32Array;
  /** The nearest node above it whose parent splits by the same column, or 0. */
  readonly before: Int32Array;
  /** z of its column down to it. */
  readonly share: Float64Array;
  /** Its own share of its parent's cover. */
  readonly ownShare: Float64Array;
  /** Quadrature points, 1 minus them, 1 over that, and their weights. */
  readonly t: Float64Array;
  readonly rest: Float64Array;
  readonly overRest: Float64Array;
  readonly weight: Float64Array;
  /** 1 / (t + z (1 - t)) of each node and point: the factor of a passed column, turned over. */
  readonly overPassed: Float64Array;
}

/** The mean of the tree's leaves, each counting by its share of `cover`. */
export const expectedOf = (tree: Tree): number => {
  const meanAt = (node: number): number => {
    if (tree.feature[node]! < 0) return tree.value[node]!;
    const [left, right] = [tree.left[node]!, tree.right[node]!];
    const share = leftShare(tree, node);
    return share * meanAt(left) + (1 - share) * meanAt(right);
  };
  return meanAt(0);
};

/** The left child's share of its parent's cover; half where neither child has any. */
const leftShare = (tree: Tree, node: number): number => {
  const left = tree.cover[tree.left[node]!]!;
  const right = tree.cover[tree.right[node]!]!;
  return left + right > 0 ? left / (left + right) : 0.5;
};

/** Works a tree out once, for `addTreeShap`. */
export const planOf = (tree: Tree): TreePlan => {
  const size = tree.feature.length;
  const ints = () => new Int32Array(size);
  const doubles = () => new Float64Array(size);
  const nodes = ints();
  const plan = {
    split: ints().fill(-1),
    threshold: new Float32Array(size),
    members: new Array<Uint8Array | null>(size).fill(null),
    missingLeft: new Uint8Array(size),
    value: doubles(),
    parent: ints(),
    isLeft: new Uint8Array(size),
    column: ints(),
    before: ints(),
    share: doubles().fill(1),
    ownShare: doubles().fill(1),
  };
  let count = 0;
  let mostColumns = 1;
  /** Appends a node and all below it; `last` is the newest node of each column on the path. */
  const append = (node: number, parent: number, left: number, last: Map<number, number>): void => {
    const at = count++;
    nodes[at] = node;
    plan.parent[at] = parent;
    plan.isLeft[at] = left;
    let path = last;
    if (at > 0) {
      const column = plan.split[parent]!;
      const before = last.get(column) ?? 0;
      const above = before === 0 ? 1 : plan.share[before]!;
      const toLeft = leftShare(tree, nodes[parent]!);
      plan.column[at] = column;
      plan.before[at] = before;
      plan.ownShare[at] = left === 1 ? toLeft : 1 - toLeft;
      plan.share[at] = above * plan.ownShare[at]!;
      path = new Map(last).set(column, at);
      mostColumns = Math.max(mostColumns, path.size);
    }
    plan.value[at] = tree.value[node]!;
    plan.split[at] = tree.feature[node]!;
    if (plan.split[at]! < 0) return;
    const set = tree.categories[node];
    plan.threshold[at] = tree.threshold[node]!;
    plan.members[at] = set == null ? null : membership(set);
    plan.missingLeft[at] = tree.missingLeft[node]!;
    append(tree.left[node]!, at, 1, path);
    append(tree.right[node]!, at, 0, path);
  };
  append(0, 0, 0, new Map());
  const { points: t, weights: weight } = gaussLegendre(Math.ceil(mostColumns / 2));
  const rest = t.map((point) => 1 - point);
  const overPassed = new Float64Array(count * t.length);
  for (let i = 0; i < overPassed.length; i++) {
    const q = i % t.length;
    overPassed[i] = 1 / (t[q]! + plan.share[(i - q) / t.length]! * rest[q]!);
  }
  const overRest = rest.map((point) => 1 / point);
  return { ...plan, size: count, t, rest, overRest, weight, overPassed };
};

/** 1 at the codes of the set; codes beyond its end are not in it either. */
const membership = (set: readonly number[]): Uint8Array => {
  const isMember = new Uint8Array(Math.max(-1, ...set) + 1);
  for (const code of set) isMember[code] = 1;
  return isMember;
};

/** Arrays that one walk after another may use, as long as the longest plan needs. */
export interface Scratch {
  readonly goesLeft: Uint8Array;
  readonly passes: Uint8Array;
  readonly product: Float64Array;
  readonly sum: Float64Array;
}

/** Scratch for any of these plans. */
export const scratchFor = (plans: readonly TreePlan[]): Scratch => {
  const nodes = Math.max(0, ...plans.map((plan) => plan.size));
  const points = Math.max(0, ...plans.map((plan) => plan.size * plan.t.length));
  return {
    goesLeft: new Uint8Array(nodes),
    passes: new Uint8Array(nodes),
    product: new Float64Array(points),
    sum: new Float64Array(points),
  };
};

/** Adds a tree's SHAP values of one row to `values[at + column]`. */
export const addTreeShap = (
  plan: TreePlan,
  columns: readonly Column[],
  row: number,
  scratch: Scratch,
  values: Float64Array,
  at: number,
): void => {
  multiplyDown(plan, columns, row, scratch);
  const { size, parent, column, before, t } = plan;
  const { passes, sum } = scratch;
  const points = t.length;
  for (let node = size - 1; node > 0; node--) {
    const own = node * points;
    const up = parent[node]! * points;
    for (let q = 0; q < points; q++) sum[up + q]! += sum[own + q]!;
    const old = before[node]!;
    if (old === 0) values[at + column[node]!]! += termOf(plan, node, node, scratch);
    else if (passes[old] === 1) {
      const moved = termOf(plan, node, node, scratch) - termOf(plan, old, node, scratch);
      values[at + column[node]!]! += moved;
    }
    // Else the row had failed the column above: its term was the same there.
  }
};

/**
 * Fills `passes` (whether the row passes all splits of a node's column down to it), `product` (of
 * the factors of all columns down to a node, at each point) and `sum` at the leaves (value x
 * weight x product; 0 at other nodes).
 */
const multiplyDown = (
  plan: TreePlan,
  columns: readonly Column[],
  row: number,
  { goesLeft, passes, product, sum }: Scratch,
): void => {
  const { size, split, value, parent, isLeft, before, share, ownShare } = plan;
  const { t, rest, weight, overPassed } = plan;
  const points = t.length;
  product.fill(1, 0, points);
  sum.fill(0, 0, size * points);
  goesLeft[0] = sideOf(plan, 0, columns, row);
  for (let node = 1; node < size; node++) {
    const up = parent[node]!;
    const old = before[node]!;
    const hadPassed = old === 0 || passes[old] === 1;
    const passed = hadPassed && goesLeft[up] === isLeft[node];
    passes[node] = passed ? 1 : 0;
    const from = up * points;
    const to = node * points;
    if (hadPassed) {
      // The factor t + z (1 - t) of a column that is passed, z (1 - t) of one that is not, in
      // place of the one that it had above.
      const z = share[node]!;
      for (let q = 0; q < points; q++) {
        const kept = old === 0 ? 1 : overPassed[old * points + q]!;
        const factor = passed ? t[q]! + z * rest[q]! : z * rest[q]!;
        product[to + q] = product[from + q]! * kept * factor;
      }
    } else {
      const ratio = ownShare[node]!;
      for (let q = 0; q < points; q++) product[to + q] = product[from + q]! * ratio;
    }
    if (split[node]! >= 0) goesLeft[node] = sideOf(plan, node, columns, row);
    else {
      const leaf = value[node]!;
      for (let q = 0; q < points; q++) sum[to + q] = product[to + q]! * weight[q]! * leaf;
    }
  }
};

/** (o - z) x integral of what is below `node` over the factor that its column has at `holder`. */
const termOf = (plan: TreePlan, holder: number, node: number, { passes, sum }: Scratch): number => {
  const { t, overRest, overPassed, share } = plan;
  const points = t.length;
  const own = node * points;
  let total = 0;
  if (passes[holder] === 1) {
    const at = holder * points;
    for (let q = 0; q < points; q++) total += sum[own + q]! * overPassed[at + q]!;
    return (1 - share[holder]!) * total;
  }
  // (0 - z) over z (1 - t): z cancels, and may be 0.
  for (let q = 0; q < points; q++) total += sum[own + q]! * overRest[q]!;
  return -total;
};

/** 1 where the row goes left at the node, else 0. */
const sideOf = (plan: TreePlan, node: number, columns: readonly Column[], row: number): 0 | 1 => {
  const column = columns[plan.split[node]!]!;
  let isLeft: boolean;
  if (column.kind === "number") {
    const x = column.values[row]!;
    isLeft = Number.isNaN(x) ? plan.missingLeft[node] === 1 : x <= plan.threshold[node]!;
  } else {
    const code = column.codes[row]!;
    isLeft = code < 0 ? plan.missingLeft[node] === 1 : plan.members[node]![code] === 1;
  }
  return isLeft ? 1 : 0;
};

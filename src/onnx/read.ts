/*
 * Reads the model of an artifact back, so that its answers can be explained: trees from the
 * graph itself, and from the metadata what a graph has no room for. There is no second copy that
 * could say something else than what is served.
 */
import { SluiceError } from "../errors.ts";
import type { TableModel } from "../learn/table/answers.ts";
import type { ColumnShape, LinearModel, Tree, TreeModel } from "../learn/types.ts";
import { TREES_PROTO } from "./schema.ts";

/** The `cover` of every node: interior ones in the order of the graph, then leaves. */
const COVER = "sluice.cover";
/** A linear model as it is: in the graph its weights are spread over many nodes. */
const LINEAR = "sluice.linear";

/** What to write beside a model, so that `readModel` finds it again. */
export const modelMetadata = (model: TableModel): Record<string, string> => {
  if (model.kind === "trees") return { [COVER]: coverText(model) };
  if (model.kind === "softmax") return { [COVER]: model.models.map(coverText).join(" ") };
  return model.kind === "constant" ? {} : { [LINEAR]: linearText(model) };
};

/** A linear model as JSON, without its columns; `linearOf` reads it. */
export const linearText = ({ columns: _, ...rest }: LinearModel): string =>
  JSON.stringify(rest, (_key, value) => (value instanceof Float64Array ? [...value] : value));

/** The covers of a tree model, as `readTrees` wants them. */
export const coverText = (model: TreeModel): string => base64Of(coversOf(model));

/**
 * The model that bytes of `encodeTableModel` were made of, over these columns; values are float32
 * and the base is in the leaves of the first tree, as in the graph. Null where the bytes hold
 * neither trees nor a linear model. Throws `artifact_corrupt`.
 */
export const readModel = (
  bytes: Uint8Array,
  columns: readonly ColumnShape[],
): TableModel | null => {
  const { metadata, ensembles } = openModel(bytes);
  const linear = metadata.get(LINEAR);
  if (linear !== undefined) return linearOf(linear, columns);
  const covers = metadata.get(COVER)?.split(" ");
  // One a class, in their order; those of quantiles come after them and have no covers.
  const models = ensembles
    .slice(0, covers?.length)
    .map((ensemble, k) => readTrees(ensemble, covers?.[k], columns));
  return models.length > 1 ? { kind: "softmax", models, columns } : (models[0] ?? null);
};

/** The attributes of one `TreeEnsemble`, by name. */
export type Ensemble = ReadonlyMap<string, AttributeJson>;

/** Metadata and tree ensembles of a model, in the order of the graph. Throws `artifact_corrupt`. */
export const openModel = (bytes: Uint8Array) => {
  const { graph = {}, metadata_props = [] } = decode(bytes);
  const ensembles: Ensemble[] = (graph.node ?? [])
    .filter((node) => node.op_type === "TreeEnsemble")
    .map((node) => new Map(node.attribute?.map((one) => [one.name ?? "", one])));
  return { metadata: new Map(metadata_props.map(({ key, value }) => [key, value])), ensembles };
};

/** The trees of an ensemble, with the covers that `coverText` wrote. Throws `artifact_corrupt`. */
export const readTrees = (
  ensemble: Ensemble,
  covers: string | undefined,
  columns: readonly ColumnShape[],
): TreeModel => {
  const trees = treesOf(ensemble, covers);
  return { kind: "trees", objective: "log_loss", base: 0, trees, columns };
};

interface AttributeJson {
  readonly name?: string;
  readonly ints?: readonly number[];
  readonly t?: { readonly raw_data?: Uint8Array };
}
interface ModelJson {
  readonly graph?: {
    readonly node?: readonly {
      readonly op_type?: string;
      readonly attribute?: readonly AttributeJson[];
    }[];
  };
  readonly metadata_props?: readonly { readonly key: string; readonly value: string }[];
}

const decode = (bytes: Uint8Array): ModelJson => {
  try {
    return TREES_PROTO.decode(bytes) as ModelJson;
  } catch (cause) {
    throw corrupt("they are no ONNX model", cause);
  }
};

interface ReadNode {
  readonly feature: number;
  readonly threshold: number;
  readonly set: readonly number[] | null;
  readonly missingLeft: number;
  readonly value: number;
  readonly cover: number;
  left: number;
  right: number;
}

/** Trees of the operator's flat lists, each with its root first. */
const treesOf = (attributes: Ensemble, covers?: string): Tree[] => {
  const ints = (name: string): readonly number[] => attributes.get(name)?.ints ?? [];
  const floats = (name: string): Float32Array => floatsOf(attributes.get(name)?.t?.raw_data);
  const features = ints("nodes_featureids");
  const splits = floats("nodes_splits");
  const weights = floats("leaf_weights");
  const missing = ints("nodes_missing_value_tracks_true");
  const [trueIds, trueLeafs] = [ints("nodes_truenodeids"), ints("nodes_trueleafs")];
  const [falseIds, falseLeafs] = [ints("nodes_falsenodeids"), ints("nodes_falseleafs")];
  const sets = setsOf(attributes.get("nodes_modes")?.t?.raw_data, floats("membership_values"));
  const cover = covers === undefined ? null : floatsOf(Buffer.from(covers, "base64"));
  if (cover !== null && cover.length !== features.length + weights.length) {
    throw corrupt(`${cover.length} covers for ${features.length + weights.length} nodes`);
  }

  const treeOf = (root: number): Tree => {
    const nodes: ReadNode[] = [];
    const add = (id: number, isLeaf: boolean): number => {
      const node: ReadNode = {
        feature: isLeaf ? -1 : features[id]!,
        threshold: isLeaf ? 0 : splits[id]!,
        set: isLeaf ? null : (sets[id] ?? null),
        missingLeft: isLeaf ? 0 : missing[id]!,
        value: isLeaf ? weights[id]! : 0,
        cover: cover?.[isLeaf ? features.length + id : id] ?? 0,
        left: -1,
        right: -1,
      };
      const at = nodes.push(node) - 1;
      if (isLeaf) return at;
      node.left = add(trueIds[id]!, trueLeafs[id] === 1);
      node.right = add(falseIds[id]!, falseLeafs[id] === 1);
      return at;
    };
    // A tree of one leaf is there as a split whose branches share it.
    const isLone =
      trueLeafs[root] === 1 && falseLeafs[root] === 1 && trueIds[root] === falseIds[root];
    add(isLone ? trueIds[root]! : root, isLone);
    return flat(nodes);
  };
  return ints("tree_roots").map(treeOf);
};

/** A tree in flat arrays. Plain loops: a version that is loaded holds all requests up meanwhile. */
const flat = (nodes: readonly ReadNode[]): Tree => {
  const { length } = nodes;
  const tree = {
    feature: new Int32Array(length),
    threshold: new Float32Array(length),
    categories: nodes.map((node) => node.set),
    missingLeft: new Uint8Array(length),
    left: new Int32Array(length),
    right: new Int32Array(length),
    value: new Float64Array(length),
    gain: new Float64Array(length),
    cover: new Float64Array(length),
  };
  for (let at = 0; at < length; at++) {
    const node = nodes[at]!;
    tree.feature[at] = node.feature;
    tree.threshold[at] = node.threshold;
    tree.missingLeft[at] = node.missingLeft;
    tree.left[at] = node.left;
    tree.right[at] = node.right;
    tree.value[at] = node.value;
    tree.cover[at] = node.cover;
  }
  return tree;
};

/** The set of each node that splits by one; sets stand in the order of nodes, each ended by NaN. */
const setsOf = (modes: Uint8Array = new Uint8Array(), members: Float32Array) => {
  let at = 0;
  return Array.from(modes, (mode) => {
    if (mode === 0) return null;
    const from = at;
    while (at < members.length && !Number.isNaN(members[at]!)) at += 1;
    // -1 stands for a set of nothing.
    return [...members.subarray(from, at++)].filter((code) => code >= 0);
  });
};

/** The linear model of a `linearText`, over these columns. */
export const linearOf = (text: string, columns: readonly ColumnShape[]): LinearModel => {
  const { weights, means, scales, missing, levels, ...rest } = JSON.parse(text);
  const list = (values: readonly number[]) => Float64Array.from(values);
  return {
    ...rest,
    weights: list(weights),
    means: list(means),
    scales: list(scales),
    ...(missing === undefined ? {} : { missing: list(missing) }),
    ...(levels === undefined
      ? {}
      : { levels: levels.map((of: number[] | null) => (of === null ? null : list(of))) }),
    columns,
  };
};

/** In the order in which `addTrees` numbers them. */
const coversOf = ({ trees }: TreeModel): Float32Array => {
  const [interior, leaves]: [number[], number[]] = [[], []];
  for (const { feature, cover } of trees) {
    // A lone leaf comes with a split of its own.
    if (feature[0] === -1) interior.push(cover[0] ?? 0);
    for (const [node, column] of feature.entries()) {
      if (feature[0] === -1 && node > 0) break;
      (column === -1 ? leaves : interior).push(cover[node]!);
    }
  }
  // No trees at all are one leaf.
  return Float32Array.from(trees.length === 0 ? [0, 0] : [...interior, ...leaves]);
};

const base64Of = (values: Float32Array): string => {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
  return Buffer.from(view.buffer).toString("base64");
};

/** Little-endian float32 values, whatever the bytes' alignment. */
const floatsOf = (bytes: Uint8Array = new Uint8Array()): Float32Array => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length >> 2);
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(i * 4, true);
  return values;
};

export const corrupt = (reason: string, cause?: unknown): SluiceError =>
  new SluiceError({
    code: "artifact_corrupt",
    status: 422,
    detail: `The bytes of a model cannot be read back: ${reason}`,
    fix: "Give the bytes of an ONNX ModelProto as they were written; check their sha256.",
    cause,
  });

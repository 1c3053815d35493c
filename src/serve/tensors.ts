/*
 * A table version that is asked by tensors, answered by its trees (trees.ts): the runtime takes
 * tens of microseconds to be handed a tensor a column, before it has begun.
 */
import type { Column, Frame } from "../learn/types.ts";
import { outputOf } from "../onnx/table.ts";
import { turn } from "../turn.ts";
import type { Plain, PlainTensor, PlainTensors } from "./plain.ts";
import { type TableFacts, widthOf } from "./table.ts";
import type { TreeAnswers } from "./trees.ts";

/** Rows between which other requests have their turn. */
const CHUNK = 1_024;

/**
 * The same model with answers that are the runtime's within 1e-5. What only the runtime can say is
 * left to it: which inputs do not go together, and answers that are no finite numbers.
 */
export function byTrees(plain: Plain, facts: TableFacts, trees: TreeAnswers): Plain {
  const frameOf = frames(facts);
  const output = outputOf(facts.task);
  const width = widthOf(facts);
  return {
    signature: plain.signature,
    run: async (given, wanted) => {
      const rows = given[facts.columns[0]!.name]?.shape[0] ?? 0;
      const isAlike = Object.values(given).every(({ shape }) => shape[0] === rows);
      if (!isAlike || wanted.some((name) => name !== output)) return plain.run(given, wanted);
      const data = new Float32Array(rows * width);
      for (let from = 0; from < rows; from += CHUNK) {
        if (from > 0) await turn();
        const frame = frameOf(given, from, Math.min(rows, from + CHUNK));
        data.set(trees.answer(frame), from * width);
      }
      if (!data.every(Number.isFinite)) return plain.run(given, wanted);
      return { [output]: { type: "float32", shape: [rows, width], data } };
    },
  };
}

/** Gives what makes a frame of the rows [from, to) of tensors, one a column. */
function frames({ columns }: TableFacts) {
  const codes = columns.map((column) =>
    column.type === "number" ? null : new Map(column.seen.map((level, code) => [level, code])),
  );
  const columnOf = (tensor: PlainTensor, place: number, from: number, to: number): Column => {
    const column = columns[place]!;
    const { name } = column;
    if (column.type === "number") {
      const values = (tensor.data as Float32Array).subarray(from, to);
      return { name, kind: column.type, values };
    }
    // As in the file itself: what was not there to learn from is missing.
    const found = new Int32Array(to - from);
    for (let row = from; row < to; row++) {
      found[row - from] = codes[place]!.get((tensor.data as readonly string[])[row]!) ?? -1;
    }
    return { name, kind: column.type, levels: column.seen, codes: found };
  };
  return (given: PlainTensors, from: number, to: number): Frame => ({
    rows: to - from,
    columns: columns.map(({ name }, place) => columnOf(given[name]!, place, from, to)),
  });
}

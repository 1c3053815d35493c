/*
 * A version against the champion, paired on the rows that judge.
 */
import { paired } from "../../learn/interval.ts";
import { type LossName, lossesOf } from "../../learn/table/answers.ts";
import type { Frame } from "../../learn/types.ts";
import type { LoadedTable } from "../../serve/loaded.ts";
import type { TableFacts } from "../../serve/table.ts";
import type { Comparison } from "./job.ts";

/** Rows a call of the runtime: others have their turn in between. */
const CHUNK = 1_024;

/** The challenger on the rows that judge: what came, and its answers. */
export interface Judging {
  readonly target: Float64Array;
  readonly width: number;
  readonly values: Float64Array;
  readonly facts: TableFacts;
  readonly metric: LossName;
}

/**
 * What a loaded version answers on rows of today's table. Columns that it learned from and that
 * are gone count as missing; a level of today's that it does not know is missing to it as well.
 */
export async function answersOn(
  { facts, session }: Pick<LoadedTable, "facts" | "session">,
  frame: Frame,
): Promise<Float64Array> {
  const columns = facts.columns.map((wanted) => {
    const column = frame.columns.find(({ name }) => name === wanted.name);
    if (column?.kind === wanted.type) return column;
    return wanted.type === "number"
      ? { ...wanted, kind: wanted.type, values: new Float32Array(frame.rows).fill(Number.NaN) }
      : {
          ...wanted,
          kind: wanted.type,
          levels: wanted.seen,
          codes: new Int32Array(frame.rows).fill(-1),
        };
  });
  const parts: Float32Array[] = [];
  for (let from = 0; from < frame.rows; from += CHUNK) {
    const to = Math.min(frame.rows, from + CHUNK);
    const { values } = await session.answer({
      rows: to - from,
      columns: columns.map((column) =>
        column.kind === "number"
          ? { name: column.name, kind: column.kind, values: column.values.subarray(from, to) }
          : {
              name: column.name,
              kind: column.kind,
              levels: column.levels,
              codes: column.codes.subarray(from, to),
            },
      ),
    });
    parts.push(values);
  }
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The champion's answers on the rows that judge, or why there are none. */
export type ChampionOn =
  | { readonly version: number; readonly facts: TableFacts; readonly values: Float64Array }
  | { readonly version: number; readonly reason: string };

/** Why two versions cannot be compared, or null. */
export function strangerTo(challenger: TableFacts, champion: TableFacts): string | null {
  if (challenger.task !== champion.task || challenger.target !== champion.target) {
    return `it foretells ${champion.target} (${champion.task})`;
  }
  const same = challenger.classes.join("\n") === champion.classes.join("\n");
  return same ? null : `it knows the classes ${champion.classes.join(", ")}`;
}

/** The difference of the two in the metric of the model file, a row; rows are in no order. */
export function compared(
  judging: Judging,
  champion: { readonly version: number; readonly facts: TableFacts; readonly values: Float64Array },
): Comparison {
  const { target, width, values, metric } = judging;
  const own = lossesOf(metric, { width, values }, target, judging.facts.threshold);
  const theirs = lossesOf(
    metric,
    { width, values: champion.values },
    target,
    champion.facts.threshold,
  );
  const difference = paired(own, theirs, 0);
  const reason = difference === null ? "there are too few rows" : null;
  return { version: champion.version, difference, reason };
}

/*
 * Answers of a market version about rows of features.
 */
import { SluiceError } from "../errors.ts";
import type { Watch } from "../serve/batch.ts";
import type { Explanation } from "../serve/explain.ts";
import type { LoadedMarket } from "../serve/loaded.ts";
import type { MarketOutput } from "../serve/session.ts";
import type { Rows } from "./instances.ts";
import { assertExplained } from "./table-predict.ts";

/** Rows a call of the runtime: calls of other requests have their turn in between. */
const CHUNK = 1_024;

/** Rows that are explained between two turns of the event loop: some milliseconds of work. */
const EXPLAIN_CHUNK = 16;

/** One row's answer. */
export interface MarketPrediction {
  readonly id: string;
  readonly label: "up" | "not_up";
  readonly probability: number;
  /** Of the log return. */
  readonly quantiles: { readonly p10: number; readonly p50: number; readonly p90: number };
  /** The log-odds of up of a row of which nothing is known, and what each feature adds to them. */
  readonly base?: number;
  readonly contributions?: Readonly<Record<string, number>>;
}

/** One prediction a row, in the order of the rows; `not_explainable` (422), too_many_rows (413). */
export async function predictMarket(
  version: LoadedMarket,
  { features, rows }: Rows,
  explain: boolean,
  watch?: Watch,
): Promise<MarketPrediction[]> {
  const { session, facts } = version;
  const columns = facts.features.length;
  if (explain) assertExplained(rows);
  const parts: Promise<MarketOutput>[] = [];
  // All are begun before the first is awaited: a session is not released while calls are under
  // way, and so a swap in the middle of a batch cannot take the rest of it away.
  for (let from = 0; from < rows; from += CHUNK) {
    const to = Math.min(rows, from + CHUNK);
    const part = features.subarray(from * columns, to * columns);
    parts.push(session.run(part, to - from, watch));
  }
  const id = Bun.randomUUIDv7();
  const predictions: MarketPrediction[] = [];
  for (const { probability, quantiles } of await Promise.all(parts)) {
    for (const [i, up] of probability.entries()) {
      const row = predictions.length;
      const [p10, p50, p90] = quantiles.subarray(i * 3, i * 3 + 3);
      if (![up, p10, p50, p90].every(Number.isFinite)) throw noNumber(row);
      predictions.push({
        id: `${id}-${row}`,
        label: up > 0.5 ? "up" : "not_up",
        probability: up,
        quantiles: { p10: p10!, p50: p50!, p90: p90! },
      });
    }
  }
  if (!explain) return predictions;
  const explanations: Explanation[] = [];
  for (let from = 0; from < rows; from += EXPLAIN_CHUNK) {
    const to = Math.min(rows, from + EXPLAIN_CHUNK);
    explanations.push(
      ...version.explain(features.subarray(from * columns, to * columns), to - from),
    );
    await Bun.sleep(0);
  }
  return predictions.map((prediction, row) => ({ ...prediction, ...explanations[row] }));
}

const noNumber = (row: number): SluiceError =>
  new SluiceError({
    code: "non_finite_output",
    detail: `The model gave a value for row ${row} that is not a finite number.`,
    fix: "Roll the model back to the version before, and report the version's run.",
  });

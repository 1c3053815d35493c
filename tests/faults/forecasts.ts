/*
 * Every forecast that was acknowledged is stored as it was told, with what came of it.
 */
import { slotOf } from "../../src/types.ts";
import type { Counted, CountOne } from "./counts.ts";
import { truthOf } from "./market.ts";

interface Row {
  readonly id: string;
  readonly answer: Record<string, unknown>;
  readonly outcome: string | null;
}

export async function countForecasts(
  { servers, witness, exchange, say }: Counted,
  count: CountOne,
): Promise<void> {
  const rows = await servers.database.rows<Row>(`select id, answer, outcome from forecasts`);
  const stored = new Map(rows.map((row) => [row.id, row]));
  const now = slotOf(exchange.now());
  let [kept, past, right] = [0, 0, 0];
  const truths = new Map<string, ReturnType<typeof truthOf>>();
  for (const { id, ...told } of witness.forecasts.values()) {
    const row = stored.get(id);
    if (row !== undefined && Bun.deepEquals(row.answer, { id, ...told })) kept++;
    const target = Date.parse(told.target.start);
    if (target >= now) continue;
    past++;
    const truth = truths.get(told.market) ?? truthOf(told.market, now);
    truths.set(told.market, truth);
    const outcome = truth.outcome(target);
    if (row?.outcome === outcome) right++;
    else say(`forecast ${id} of ${told.target.start}: ${row?.outcome}, in truth ${outcome}`);
  }
  const { size } = witness.forecasts;
  count(
    "forecasts acknowledged and kept",
    `${kept} of ${size} (told ${witness.acknowledged()} times)`,
    kept === size && size > 0,
  );
  const { changed } = witness;
  const again = witness.acknowledged() - size;
  const first = changed[0] === undefined ? "" : `: ${changed[0]}`;
  count("told again, of them otherwise", `${again}, ${changed.length}${first}`, !changed.length);
  count("their outcomes, where the candle has closed", `${right} of ${past}`, right === past);
}

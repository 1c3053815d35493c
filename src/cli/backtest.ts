/*
 * `sluice backtest`: what a market model's pipeline would have answered in the past.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import { defaultSpec, lookbackOf } from "../feature/spec.ts";
import type { BacktestJson } from "../flow/backtest.ts";
import { type MarketFile, type ModelFile, readModels } from "../models.ts";
import { type Candle, type Instant, iso, slotOf, UNIT_MS } from "../types.ts";
import { renderFields, renderTable } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { type Session, withSession } from "./session.ts";

export interface BacktestOptions extends JsonOption {
  readonly from?: Instant;
  readonly to?: Instant;
  readonly every?: number;
  readonly cost: number;
  readonly out: string;
}

/** Reads the stored candles, replays the pipeline in this process, and leaves both reports. */
export const backtest = (io: Io, name: string, options: BacktestOptions): Promise<number> =>
  withSession(io, async (session) => {
    const model = marketModelOf(readModels(session.config.modelsFolder), name);
    const candles = await candlesOf(session, model, options.to);
    const newest = candles[model.collect.market]?.at(-1)?.start ?? model.collect.since;
    const to = Math.min(
      options.to === undefined ? Number.MAX_SAFE_INTEGER : options.to,
      newest + UNIT_MS,
    );
    const from = options.from ?? slotOf(to) - model.evaluate.candles * UNIT_MS;
    const { backtest: replay } = await import("../flow/backtest.ts");
    const { prepareKernels } = await import("../kernels.ts");
    await prepareKernels(0);
    const { json, page } = replay(
      {
        model,
        candles,
        from,
        to,
        every: options.every ?? model.evaluate.fold_candles,
        cost: options.cost,
      },
      (share, text) => session.update(`backtest ${name}`, share, text),
    );
    session.update(`backtest ${name}`, 1, "done");
    const files = await leave(options.out, name, json, page);
    await session.print(options.json ? JSON.stringify(json) : textOf(json, files));
    return json.verdict === "leak" ? 1 : 0;
  });

/** The market model of that name; `unknown_model` otherwise. */
function marketModelOf(models: ReadonlyMap<string, ModelFile>, name: string): MarketFile {
  const model = models.get(name);
  const markets = [...models.values()].filter((one) => one.kind === "market");
  if (model?.kind === "market") return model;
  throw new SluiceError({
    code: "unknown_model",
    status: 404,
    detail:
      model === undefined
        ? `There is no model "${name}".`
        : `The model "${name}" is one of a ${model.kind}: only market models are walked forward.`,
    fix: `Give one of ${markets.map((one) => one.name).join(", ")}.`,
  });
}

interface CandlePage {
  readonly items: readonly (Omit<Candle, "start" | "market" | "turnover"> & {
    readonly start: string;
    readonly turnover: number | null;
  })[];
  readonly next: string | null;
}

/** All candles that a training would see, of every market of the model, read page by page. */
async function candlesOf(session: Session, model: MarketFile, to: Instant | undefined) {
  const { market, others, since } = model.collect;
  const markets = [market, ...others];
  const from = since - lookbackOf(defaultSpec(markets)) * UNIT_MS;
  const lists: Record<string, readonly Candle[]> = {};
  for (const name of markets) {
    const list: Candle[] = [];
    let after: string | null = null;
    do {
      const query = new URLSearchParams({ from: iso(from), limit: "5000" });
      if (to !== undefined) query.set("to", iso(to));
      if (after !== null) query.set("after", after);
      const page: CandlePage = await session.call<CandlePage>(
        "GET",
        `/v1/candles/${encodeURIComponent(name)}?${query}`,
      );
      for (const one of page.items) {
        list.push({
          ...one,
          market: name,
          start: Date.parse(one.start),
          turnover: one.turnover ?? Number.NaN,
        });
      }
      after = page.next;
    } while (after !== null);
    lists[name] = list;
  }
  return lists;
}

/** Writes `backtest-<model>.json` and `.html`; the paths. */
async function leave(folder: string, name: string, json: BacktestJson, page: string) {
  const files = [join(folder, `backtest-${name}.html`), join(folder, `backtest-${name}.json`)];
  try {
    await writeFile(files[0]!, page);
    await writeFile(files[1]!, `${JSON.stringify(json)}\n`);
  } catch (thrown) {
    throw new SluiceError({
      code: "cannot_write",
      detail: `The report cannot be written into ${folder}: ${(thrown as Error).message}`,
      fix: "Give a folder that exists and can be written with --out.",
    });
  }
  return files;
}

/** The table by month and in all, and what is to be said about it. */
function textOf(json: BacktestJson, files: readonly string[]): string {
  const right = (title: string) => ({ title, align: "right" as const });
  const share = (value: number) => `${(100 * value).toFixed(1)} %`;
  const table = renderTable(
    [
      { title: "month" },
      right("candles"),
      right("hit rate"),
      right("log-loss"),
      right("base rate"),
      right("last direction"),
      right("contrarian"),
      right("Brier"),
      right("in 10-90"),
      right("profit"),
      right("hold"),
    ],
    [...json.months, json.all].map((row) => [
      row.month,
      `${row.rows}`,
      share(row.hit_rate),
      row.log_loss.toFixed(5),
      row.baselines.base_rate.toFixed(5),
      row.baselines.last_direction.toFixed(5),
      row.baselines.contrarian.toFixed(5),
      row.brier.toFixed(4),
      share(row.coverage),
      share(row.profit),
      share(row.hold),
    ]),
  );
  const { against_baseline: against } = json;
  const number = (value: number | null, digits: number) => value?.toFixed(digits) ?? "unknown";
  const facts = renderFields([
    ["judged", `${json.from} to ${json.to}, trained every ${json.retrained_every_candles} candles`],
    [
      `against ${against.baseline}`,
      `${number(against.mean, 5)} log-loss, 95 % from ${number(against.low, 5)} to ` +
        `${number(against.high, 5)}, t ${number(against.t, 2)} (below 0 is better)`,
    ],
    ["calibration slope", `${number(json.calibration_slope, 2)} (1 is right, below overconfident)`],
    ["profit", json.rule.replace("`cost`", `${json.cost}`)],
    ["reports", files.join(", ")],
  ]);
  return `${table}\n\n${facts}\n\n${json.sentence}`;
}

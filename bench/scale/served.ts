/*
 * What the compiled program does on a history: it starts, runs a pipeline, gives pages.
 */
import type { SimulatedExchange } from "../../src/market/simulated.ts";
import { until } from "../../src/testing.ts";
import { UNIT_MS } from "../../src/types.ts";
import { type Served, serve } from "../../tests/served.ts";
import { median } from "../serve/table.ts";
import { MARKETS } from "./history.ts";

/** Milliseconds, bytes, and rows a second. */
export interface ServedFigures {
  readonly readyMs: number;
  readonly residentBytes: number;
  readonly steps: ReadonlyMap<string, number>;
  readonly firstPageMs: number;
  readonly lastPageMs: number;
  readonly walked: { readonly rows: number; readonly perSecond: number };
}

interface RunView {
  readonly id: string;
  readonly status: string;
  readonly steps: readonly { readonly step: string; readonly elapsed_ms: number | null }[];
}

interface CandlePage {
  readonly items: readonly { readonly start: string }[];
  readonly next: string | null;
}

const PAGES = 30;
const WALKED = 5_000;
const RUN_MS = 120_000;

/** Starts it on what is there, once for a run of the pipeline and once for the rest. */
export async function measureServed(
  options: Parameters<typeof serve>[0],
  exchange: SimulatedExchange,
): Promise<ServedFigures> {
  const first = await serve(options);
  await first.ready(RUN_MS);
  const before = await ended(first, null);
  exchange.advance(UNIT_MS);
  const { steps } = await ended(first, before.id);
  await first.stop();

  const served = await serve(options);
  const readyMs = await served.ready(RUN_MS);
  const path = `/v1/candles/${MARKETS[0]}`;
  const firstPageMs = await pageMs(served, `${path}?limit=200`);
  const near = new Date(exchange.now() - 200 * UNIT_MS).toISOString();
  const lastPageMs = await pageMs(served, `${path}?limit=200&from=${near}`);
  const walked = await walk(served, `${path}?limit=${WALKED}`);
  const residentBytes = served.residentBytes();
  await served.stop();
  return { readyMs, residentBytes, steps, firstPageMs, lastPageMs, walked };
}

/** The newest run that is not the one before, once it has ended: its steps' milliseconds. */
async function ended(served: Served, before: string | null) {
  const newest = async () =>
    (await served.get<{ items: RunView[] }>("/v1/pipelines/btc/runs?limit=1")).items[0];
  const isEnded = (run?: RunView) => run?.id !== before && run?.status === "succeeded";
  await until(async () => isEnded(await newest()), RUN_MS, "the run of btc");
  const { id } = (await newest())!;
  const run = await served.get<RunView>(`/admin/pipelines/btc/runs/${id}`);
  return { id, steps: new Map(run.steps.map(({ step, elapsed_ms }) => [step, elapsed_ms ?? 0])) };
}

/** Median of a page's time. */
async function pageMs(served: Served, path: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PAGES; i++) {
    const begun = performance.now();
    const { items } = await served.get<CandlePage>(path);
    times.push(performance.now() - begun);
    if (items.length < 100) throw new Error(`${path} gave ${items.length} candles.`);
  }
  return median(times);
}

/** All pages, one after the other; none may repeat a candle of the page before. */
async function walk(served: Served, path: string): Promise<ServedFigures["walked"]> {
  const begun = performance.now();
  let rows = 0;
  let last = "";
  let after = "";
  for (;;) {
    const { items, next } = await served.get<CandlePage>(`${path}${after}`);
    if ((items[0]?.start ?? "9") <= last) throw new Error(`A page begins before ${last}.`);
    rows += items.length;
    last = items.at(-1)?.start ?? last;
    if (next === null) break;
    after = `&after=${next}`;
  }
  return { rows, perSecond: (rows / (performance.now() - begun)) * 1_000 };
}

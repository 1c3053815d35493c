/*
 * One look at the exchange: a page is asked for, checked, held against what is stored, and
 * stored. What an answer leaves open (a slot without a row, a row that was refused) is noted as
 * an unknown hole; whether it stays one is for the collector to find out.
 */
import { SluiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { CandleStore, CandleVersion } from "../store/candles.ts";
import type { PageCounts } from "../store/candles-write.ts";
import { type Instant, iso, newestClosed, UNIT_MS } from "../types.ts";
import type { Client } from "./client.ts";
import { type Checked, checkPage, type Refused, sameCandle } from "./rules.ts";

/** What one answer told about the slots before `to`. */
export interface Look {
  readonly rows: number;
  /** Start of the oldest row, null where the page held none that can be placed. */
  readonly oldest: Instant | null;
  /** Slots with a row, good or refused; a hole in them is not empty. */
  readonly present: ReadonlySet<Instant>;
  /** Refused rows of which not even the slot can be told. */
  readonly unplaced: number;
  /** Slots of which nothing was known before: with a candle now, or a hole. */
  readonly answered: number;
}

/** What a run of looks is about and what it has come to. */
export interface Run {
  readonly market: string;
  /** Nothing that starts earlier is stored anew. */
  readonly since: Instant;
  readonly signal: AbortSignal | undefined;
  readonly counts: Record<Exclude<keyof PageCounts, "missing">, number>;
  requests: number;
}

export interface LookEdges {
  readonly client: Pick<Client, "candlesBefore">;
  readonly store: CandleStore;
  readonly clock: { now(): Instant };
  readonly log: Log;
}

/** A page that does not go back, or cannot be true, is asked for again this often. */
const REPEATS = 2;

/** A run that has done nothing yet. */
export const newRun = (market: string, since: Instant, signal: AbortSignal | undefined): Run => ({
  market,
  since,
  signal,
  counts: { stored: 0, revised: 0, quarantined: 0, filled: 0 },
  requests: 0,
});

/**
 * Asks for the page before `to` and stores what it brings. The answer is empty, or reaches back
 * before `to`; what does neither is asked for again and at last thrown as `upstream_no_progress`.
 */
export async function look(edges: LookEdges, run: Run, to: Instant): Promise<Look> {
  for (let repeats = 0; ; repeats++) {
    const seen = await lookOnce(edges, run, to);
    const fault = await faultOf(seen, edges.store, run.market, to);
    if (fault === null) return seen;
    edges.log.warn("page_refused", { market: run.market, to: iso(to), fault });
    if (repeats === REPEATS) throw noProgress(run.market, to, fault);
  }
}

async function lookOnce(edges: LookEdges, run: Run, to: Instant): Promise<Look> {
  const { market, since } = run;
  const page = await edges.client.candlesBefore(market, to, 200, run.signal);
  run.requests += page.requests;
  // Both clocks must agree that a candle is over: one of them may be ahead.
  const newest = newestClosed(Math.min(edges.clock.now(), page.date ?? Number.POSITIVE_INFINITY));

  const { good, refused } = checkPage(page.rows, market);
  const oldest = oldestOf(good, refused);
  const closed = good.filter((row) => row.candle.start <= newest);
  const range = {
    from: Math.min(oldest ?? to, to),
    to: Math.max(to, (closed.at(-1)?.candle.start ?? to) + 1),
  };
  const stored = await edges.store.inForce(market, range);
  const inForce = new Map(stored.map((version) => [version.candle.start, version]));
  const has = new Set([...closed.map((row) => row.candle.start), ...inForce.keys()]);

  const counts = await edges.store.storePage(market, {
    fresh: closed.filter(({ candle }) => candle.start >= since && !inForce.has(candle.start)),
    revised: revisionsIn(closed, inForce),
    refused: refused.filter((r) => r.start === null || (r.start >= since && r.start <= newest)),
    missing: slotsWithout(has, Math.max(range.from, since), Math.min(to - 1, newest)),
    at: edges.clock.now(),
  });
  tell(edges.log, market, counts);
  for (const name of ["stored", "revised", "quarantined", "filled"] as const) {
    run.counts[name] += counts[name];
  }
  const placed = refused.map((row) => row.start).filter((start) => start !== null);
  return {
    rows: page.rows.length,
    oldest,
    present: new Set([...good.map((row) => row.candle.start), ...placed]),
    unplaced: refused.length - placed.length,
    answered: counts.stored - counts.filled + counts.missing,
  };
}

/** How far a page goes back; rows of another market tell nothing about this one's history. */
function oldestOf(good: readonly Checked[], refused: readonly Refused[]): Instant | null {
  const own = refused.filter((row) => row.reason !== "wrong_market").map((row) => row.start);
  const starts = [...good.map((row) => row.candle.start), ...own].filter((s) => s !== null);
  return starts.length === 0 ? null : Math.min(...starts);
}

/** Rows that tell other values than the version in force. */
const revisionsIn = (rows: readonly Checked[], inForce: ReadonlyMap<Instant, CandleVersion>) =>
  rows.flatMap((row) => {
    const stored = inForce.get(row.candle.start);
    if (stored === undefined || sameCandle(stored.candle, row.candle)) return [];
    return [{ row, replaces: stored.knownFrom }];
  });

/** Slots from `first` to `last`, both included, that are not in `has`. */
function slotsWithout(has: ReadonlySet<Instant>, first: Instant, last: Instant): Instant[] {
  const missing: Instant[] = [];
  for (let s = first; s <= last; s += UNIT_MS) if (!has.has(s)) missing.push(s);
  return missing;
}

/** Why an answer cannot be gone on from, or null. */
async function faultOf(seen: Look, store: CandleStore, market: string, to: Instant) {
  if (seen.rows === 0) {
    const oldest = await store.oldest(market);
    if (oldest === null || oldest >= to) return null;
    return `it is empty, but the candle of ${iso(oldest)} is known`;
  }
  if (seen.oldest === null) return `none of its ${seen.rows} rows can be used`;
  return seen.oldest < to ? null : `its oldest row starts at ${iso(seen.oldest)}`;
}

function tell(log: Log, market: string, counts: PageCounts): void {
  if (counts.revised > 0) log.warn("candles_revised", { market, count: counts.revised });
  if (counts.quarantined > 0) log.warn("rows_quarantined", { market, count: counts.quarantined });
  if (counts.filled > 0) log.info("holes_filled", { market, count: counts.filled });
}

const noProgress = (market: string, to: Instant, fault: string): SluiceError =>
  new SluiceError({
    code: "upstream_no_progress",
    status: 502,
    detail: `The page of ${market} before ${iso(to)} came ${REPEATS + 1} times, but ${fault}.`,
    fix: "What came before it is stored. The next run begins there; report it if it lasts.",
    retryAfter: 300,
  });

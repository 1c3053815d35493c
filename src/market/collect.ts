/*
 * Collecting a market: what should exist by the exchange's clock, minus what is stored, is what
 * is asked for, newest first. Page by page it is stored, so a run that dies loses one page at
 * most and the next one goes on where it stopped.
 */
import { type Log, silentLog } from "../log.ts";
import type { CandleStore } from "../store/candles.ts";
import { type Instant, newestClosed, slotOf, UNIT_MS } from "../types.ts";
import { isUnknownMarket } from "./answer.ts";
import type { Client } from "./client.ts";
import { settle } from "./hole.ts";
import { realSleep, type Sleep } from "./limiter.ts";
import { type Look, type LookEdges, look, newRun, type Run } from "./look.ts";

export interface CollectOptions {
  /** First instant of interest: candles that start earlier are not stored. */
  readonly since: Instant;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface AgainOptions {
  readonly from: Instant;
  readonly to: Instant;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface Progress {
  readonly market: string;
  /** Slots that this run has an answer for, of those that were open when it began. */
  readonly done: number;
  readonly total: number;
}

export interface Collected {
  readonly market: string;
  readonly stored: number;
  readonly revised: number;
  readonly quarantined: number;
  /** Holes that a late candle closed. */
  readonly filled: number;
  /** Holes in the whole range as they stand now. */
  readonly holes: { readonly unknown: number; readonly empty: number };
  readonly requests: number;
  /** First and last slot that should exist: the last is the newest closed one. */
  readonly from: Instant;
  readonly to: Instant;
}

export interface Audited {
  readonly market: string;
  /** The whole history has been looked at a second time within a week. */
  readonly done: boolean;
  /** The second look has come back as far as this; null where there is nothing yet. */
  readonly auditedTo: Instant | null;
  readonly stored: number;
  readonly revised: number;
  readonly quarantined: number;
  readonly requests: number;
}

export interface Collector {
  /**
   * Brings a market up to its newest closed candle. Of two calls at once the second shares the
   * run of the first. Throws SluiceErrors `upstream_*`; a market that the exchange does not know
   * is noted as trouble of that market alone.
   */
  collect(market: string, options: CollectOptions): Promise<Collected>;
  /**
   * Looks at stored history a second time, `pages` at a call, from where the last call stopped:
   * a value that was wrong when it was first read becomes a revision. Begins anew after a week.
   */
  audit(
    market: string,
    options?: { readonly pages?: number; readonly signal?: AbortSignal },
  ): Promise<Audited>;
  /** Asks for a range again, whatever is stored of it: from <= start < to. */
  again(market: string, range: AgainOptions): Promise<Collected>;
}

interface CollectorEdges {
  readonly client: Pick<Client, "candlesBefore">;
  readonly store: CandleStore;
  /** The exchange's clock, or one that is right to a few seconds. */
  readonly clock: { now(): Instant };
  readonly log?: Log;
  readonly sleep?: Sleep;
}

const AUDIT_AGAIN_MS = 7 * 86_400_000;

/** Makes the collector of all markets of this process. */
export function makeCollector(given: CollectorEdges): Collector {
  const edges: LookEdges = { ...given, log: given.log ?? silentLog };
  const sleep = given.sleep ?? realSleep;
  const { store, clock } = edges;
  const inTurn = makeTurns();
  const running = new Map<string, { since: Instant; to: Instant; work: Promise<Collected> }>();

  async function collect(market: string, options: CollectOptions): Promise<Collected> {
    const since = ceilToSlot(options.since);
    const to = newestClosed(clock.now());
    const other = running.get(market);
    // One that began before a candle closed may have passed the place where that is.
    if (other !== undefined && other.since <= since && other.to === to) return other.work;
    const work = inTurn(market, () => collectNow(market, since, options));
    const entry = { since, to, work };
    running.set(market, entry);
    try {
      return await work;
    } finally {
      if (running.get(market) === entry) running.delete(market);
    }
  }

  async function collectNow(market: string, since: Instant, options: CollectOptions) {
    const run = newRun(market, since, options.signal);
    // What closes meanwhile is another call's.
    const to = newestClosed(clock.now());
    await noting(run, async () => {
      await pageBack(edges, run, options.onProgress);
      await settle(edges, run, sleep);
    });
    return report(run, to);
  }

  async function report(run: Run, to = newestClosed(clock.now())): Promise<Collected> {
    const { market, since } = run;
    const { firstStart } = await store.stateOf(market);
    const holes = await store.holeCounts(market, { from: since, to: to + UNIT_MS });
    return {
      ...{ market, ...run.counts, requests: run.requests },
      holes: { unknown: holes.unknown, empty: holes.confirmed_empty },
      ...{ from: Math.max(since, firstStart ?? since), to },
    };
  }

  async function auditNow(market: string, pages: number, signal: AbortSignal | undefined) {
    const oldest = await store.oldest(market);
    const run = newRun(market, oldest ?? 0, signal);
    const { auditedTo, auditedAt, firstStart } = await store.stateOf(market);
    const finished = oldest === null || (auditedTo !== null && auditedTo <= oldest);
    const lately = auditedAt !== null && clock.now() - auditedAt < AUDIT_AGAIN_MS;
    if (oldest === null || (finished && lately)) return audited(run, true, auditedTo);

    let to = (finished ? null : auditedTo) ?? newestClosed(clock.now()) + UNIT_MS;
    await noting(run, async () => {
      for (let page = 0; page < pages && to > oldest; page++) {
        to = (await look(edges, run, to)).oldest ?? oldest;
        const done = to <= oldest;
        await store.setState(market, {
          auditedTo: to,
          ...(done ? { auditedAt: clock.now() } : {}),
        });
      }
      // That history begins there rests on an empty answer: it is asked for again as well.
      if (to <= oldest && firstStart !== null) {
        const before = (await look(edges, run, firstStart)).oldest;
        if (before !== null) await store.setState(market, { firstStart: null });
      }
      await settle(edges, run, sleep);
    });
    return audited(run, to <= oldest, to);
  }

  const audited = (run: Run, done: boolean, auditedTo: Instant | null): Audited => {
    const { filled: _, ...counts } = run.counts;
    return { market: run.market, done, auditedTo, ...counts, requests: run.requests };
  };

  /** Keeps the market's lasting trouble up to date with what the work meets. */
  async function noting(run: Run, work: () => Promise<void>): Promise<void> {
    const { market } = run;
    try {
      await work();
    } catch (thrown) {
      if (isUnknownMarket(thrown)) {
        await store.setState(market, { trouble: thrown.message, troubleAt: clock.now() });
      }
      throw thrown;
    }
    if (run.requests > 0 && (await store.stateOf(market)).trouble !== null) {
      await store.setState(market, { trouble: null, troubleAt: null });
    }
  }

  async function againNow(market: string, { from, to, onProgress, signal }: AgainOptions) {
    const run = newRun(market, ceilToSlot(from), signal);
    const total = (to - run.since) / UNIT_MS;
    await noting(run, async () => {
      for (let next = to; next > run.since; ) {
        // An empty page: the market has nothing older.
        next = (await look(edges, run, next)).oldest ?? run.since;
        onProgress?.({ market, done: Math.min(total, (to - next) / UNIT_MS), total });
      }
      await settle(edges, run, sleep);
    });
    return report(run);
  }

  return {
    collect,
    again: (market, range) => inTurn(market, () => againNow(market, range)),
    audit: (market, { pages = 5, signal } = {}) =>
      inTurn(market, () => auditNow(market, pages, signal)),
  };
}

/**
 * Asks for the newest page, whose 200 candles are held against what is stored, and then for
 * whatever is neither stored nor a known hole, from the newest back.
 */
async function pageBack(
  edges: LookEdges,
  run: Run,
  onProgress: CollectOptions["onProgress"],
): Promise<void> {
  const { market, since } = run;
  const { store } = edges;
  const newest = newestClosed(edges.clock.now());
  if (newest < since) return;
  const { firstStart } = await store.stateOf(market);
  const floor = Math.max(since, firstStart ?? since);

  let done = 0;
  let total: number | null = null;
  let wasEmpty = false;
  for (let to: Instant | null = newest + UNIT_MS; to !== null; ) {
    const seen: Look = await look(edges, run, to);
    const { oldest } = seen;
    if (oldest === null) {
      // The end of history is believed when it is told twice.
      if (wasEmpty) return noteFirst(store, market);
      wasEmpty = true;
      continue;
    }
    wasEmpty = false;
    done += seen.answered;
    const older = { from: floor, to: oldest };
    const next: Instant | null = await store.newestOpen(market, older);
    // What is left is counted once: each count goes through the whole history.
    if (onProgress !== undefined) {
      total ??= done + (next === null ? 0 : await store.countOpen(market, older));
      onProgress({ market, done: Math.min(done, total), total });
    }
    to = next === null ? null : next + UNIT_MS;
  }
}

async function noteFirst(store: CandleStore, market: string): Promise<void> {
  const firstStart = await store.oldest(market);
  if (firstStart !== null) await store.setState(market, { firstStart });
}

const ceilToSlot = (t: Instant): Instant => slotOf(t + UNIT_MS - 1);

/** Works of the same key one after the other. */
function makeTurns() {
  const last = new Map<string, Promise<unknown>>();
  return <Result>(key: string, work: () => Promise<Result>): Promise<Result> => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work);
    last.set(
      key,
      mine.catch(() => {}),
    );
    return mine;
  };
}

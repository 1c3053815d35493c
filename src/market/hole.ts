/*
 * Holes: a slot without a row is unknown until it was asked for again. Only an answer that
 * reaches across it and holds no row at all for it confirms that nothing was traded; a row that
 * was refused keeps it unknown.
 */
import { type Instant, newestClosed, UNIT_MS } from "../types.ts";
import type { Sleep } from "./limiter.ts";
import { type Look, type LookEdges, look, type Run } from "./look.ts";

/** How often a run asks again for the same hole. */
const TRIES = 3;
/** The exchange may be a few seconds late with a candle that has just closed. */
const FRESH_MS = 60_000;
const FRESH_WAIT_MS = 5_000;

/** Asks again for every unknown hole of the run's range and settles what can be settled. */
export async function settle(edges: LookEdges, run: Run, sleep: Sleep): Promise<void> {
  const { store, clock } = edges;
  const tries = new Map<Instant, number>();
  for (;;) {
    const range = { from: run.since, to: newestClosed(clock.now()) + UNIT_MS };
    const unknown = (await store.holesOf(run.market, range, ["unknown"])).map((h) => h.start);
    const head = unknown.filter((start) => (tries.get(start) ?? 0) < TRIES).at(-1);
    if (head === undefined) return;
    if (isFresh(head, clock.now())) await sleep(FRESH_WAIT_MS, run.signal);

    const to = head + UNIT_MS;
    const seen = await look(edges, run, to);
    const covered = unknown.filter((s) => s <= head && s >= (seen.oldest ?? head));
    for (const start of covered) tries.set(start, (tries.get(start) ?? 0) + 1);
    // Of a candle that has only just closed, one silent answer says nothing yet.
    const mayBeLate = (start: Instant) =>
      isFresh(start, clock.now()) && (tries.get(start) ?? 0) < TRIES;
    const [empty, open]: [Instant[], Instant[]] = [[], []];
    for (const start of covered) {
      (isEmpty(start, seen) && !mayBeLate(start) ? empty : open).push(start);
    }
    await store.settleHoles(run.market, { empty, open }, clock.now());
    if (empty.length > 0) {
      edges.log.info("holes_confirmed", { market: run.market, count: empty.length });
    }
  }
}

/** A refused row that cannot be placed may belong to any slot of its page. */
const isEmpty = (start: Instant, seen: Look): boolean =>
  !seen.present.has(start) && seen.unplaced === 0;

const isFresh = (start: Instant, now: Instant): boolean => start + UNIT_MS + FRESH_MS > now;

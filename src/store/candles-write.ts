/*
 * Writing candles. Every write is safe to repeat and safe beside another replica that writes the
 * same page: the unique keys decide who was first. What a page brings of one kind goes as one text
 * in one statement, however many rows it has: parameters of their own, one a field, take ten times
 * as long, and a statement takes no more than 65,535 of them.
 */
import { type SQL, sql } from "drizzle-orm";
import { type Candle, type Instant, UNIT_MINUTES } from "../types.ts";
import type { Database, Orm } from "./database.ts";
import { quarantine } from "./schema.ts";

/** A closed candle as an answer told it. */
export interface SeenCandle {
  readonly candle: Candle;
  readonly lastTradeAt: Instant;
}

/** A row that verification refused, before it is stored. */
export interface RefusedRow {
  readonly start: Instant | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string;
}

/** A version that is to take the place of the one with that `knownFrom`. */
interface Revision {
  readonly row: SeenCandle;
  readonly replaces: Instant;
}

/** What one answer changes; `replaces` is the `knownFrom` of the version that was compared. */
export interface PageWrite {
  readonly fresh: readonly SeenCandle[];
  readonly revised: readonly Revision[];
  readonly refused: readonly RefusedRow[];
  readonly missing: readonly Instant[];
  /** When the answer came, by the exchange's clock: the `knownFrom` of what it brought. */
  readonly at: Instant;
}

/** How much of a write was new; a repeated write counts nothing. */
export interface PageCounts {
  readonly stored: number;
  readonly revised: number;
  readonly quarantined: number;
  /** Holes that a candle closed. */
  readonly filled: number;
  /** Slots that became a hole. */
  readonly missing: number;
}

type Rows = Pick<Database, "rows">;

/** Writes what one answer changes, within a transaction. */
export async function writePage(
  { rows }: Rows,
  tx: Orm,
  market: string,
  page: PageWrite,
): Promise<PageCounts> {
  const { at } = page;
  const startsOf = async (statement: SQL): Promise<Instant[]> =>
    (await rows<{ start: Date | string }>(statement, tx)).map((r) => new Date(r.start).getTime());

  const insert = async (versions: readonly (SeenCandle & { knownFrom: Instant })[]) =>
    versions.length === 0 ? [] : startsOf(insertion(market, versions));
  const stored = await insert(page.fresh.map((row) => ({ ...row, knownFrom: at })));
  const revised = await insert(await closeReplaced(startsOf, market, page.revised, at));
  const filled = stored.length === 0 ? [] : await startsOf(filling(market, stored, at));
  const missing = page.missing.length === 0 ? [] : await startsOf(noting(market, page.missing, at));
  const quarantined = await keepRefused(tx, market, page.refused, at);
  return {
    ...{ stored: stored.length, revised: revised.length, quarantined },
    ...{ filled: filled.length, missing: missing.length },
  };
}

/** Ends the versions in force, and gives those that take their place. */
async function closeReplaced(
  startsOf: (statement: SQL) => Promise<Instant[]>,
  market: string,
  revised: readonly Revision[],
  at: Instant,
): Promise<(SeenCandle & { knownFrom: Instant })[]> {
  if (revised.length === 0) return [];
  const versions = revised.map(({ row, replaces }) => ({
    // Strictly increasing even on a clock that stands still: (start, known_from) is the key.
    ...{ row, replaces, since: Math.max(at, replaces + 1) },
  }));
  const given = versions.map(({ row, replaces, since }) => ({
    ...{ start: text(row.candle.start), replaces: text(replaces), since: text(since) },
  }));
  // What is not closed here another replica has revised already.
  const closed = new Set(
    await startsOf(sql`
      update candles c set known_to = given.since
      from json_to_recordset(${JSON.stringify(given)}::text::json)
        as given(start timestamptz, replaces timestamptz, since timestamptz)
      where c.market = ${market}::text and c.unit = ${UNIT_MINUTES}::integer
        and c.start = given.start and c.known_from = given.replaces and c.known_to is null
      returning c.start`),
  );
  return versions
    .filter(({ row }) => closed.has(row.candle.start))
    .map(({ row, since }) => ({ ...row, knownFrom: since }));
}

function insertion(
  market: string,
  versions: readonly (SeenCandle & { readonly knownFrom: Instant })[],
): SQL {
  const given = versions.map(({ candle, lastTradeAt, knownFrom }) => ({
    ...{ start: text(candle.start), trade: text(lastTradeAt), known: text(knownFrom) },
    ...{ open: candle.open, high: candle.high, low: candle.low, close: candle.close },
    ...{ volume: candle.volume, turnover: candle.turnover },
  }));
  return sql`
    insert into candles (market, unit, start, open, high, low, close, volume, turnover,
      last_trade_at, known_from)
    select ${market}::text, ${UNIT_MINUTES}::integer, given.*
    from json_to_recordset(${JSON.stringify(given)}::text::json)
      as given(start timestamptz, open float8, high float8, low float8, close float8,
        volume float8, turnover float8, trade timestamptz, known timestamptz)
    on conflict do nothing returning start`;
}

const filling = (market: string, starts: readonly Instant[], at: Instant): SQL => sql`
  update holes set state = 'filled', settled_at = ${text(at)}::timestamptz
  where ${holeOf(market, starts)} and state <> 'filled' returning start`;

const noting = (market: string, starts: readonly Instant[], at: Instant): SQL => sql`
  insert into holes (market, unit, start, state, asked, first_seen_at, asked_at)
  select ${market}::text, ${UNIT_MINUTES}::integer, given::timestamptz, 'unknown', 1,
    ${text(at)}::timestamptz, ${text(at)}::timestamptz
  from json_array_elements_text(${textsOf(starts)}::text::json) as given
  on conflict do nothing returning start`;

/** Returns how many were not in quarantine before; those that were are counted up. */
async function keepRefused(tx: Orm, market: string, refused: readonly RefusedRow[], at: Instant) {
  const values = new Map(
    refused.map((row) => {
      const digest = digestOf(row);
      const { start, reason, detail, raw } = row;
      const kept = { market, unit: UNIT_MINUTES, start, reason, detail, raw, digest };
      return [digest, { ...kept, firstSeenAt: at, lastSeenAt: at }];
    }),
  );
  if (values.size === 0) return 0;
  const rows = await tx
    .insert(quarantine)
    .values([...values.values()])
    .onConflictDoUpdate({
      target: [quarantine.market, quarantine.digest],
      set: { seen: sql`${quarantine.seen} + 1`, lastSeenAt: at },
    })
    .returning({ seen: quarantine.seen });
  return rows.filter((r) => r.seen === 1).length;
}

/** Notes that unknown holes were asked for again: `empty` are confirmed, `open` stay unknown. */
export async function settleHoles(
  { rows }: Rows,
  tx: Orm,
  market: string,
  { empty, open }: { readonly empty: readonly Instant[]; readonly open: readonly Instant[] },
  at: Instant,
): Promise<void> {
  const those = (starts: readonly Instant[]) =>
    sql`${holeOf(market, starts)} and state = 'unknown'`;
  const asked = sql`asked = asked + 1, asked_at = ${text(at)}::timestamptz`;
  const settled = sql`state = 'confirmed_empty', settled_at = ${text(at)}::timestamptz`;
  if (empty.length > 0) {
    await rows(sql`update holes set ${asked}, ${settled} where ${those(empty)}`, tx);
  }
  if (open.length > 0) await rows(sql`update holes set ${asked} where ${those(open)}`, tx);
}

const holeOf = (market: string, starts: readonly Instant[]): SQL => sql`
  market = ${market}::text and unit = ${UNIT_MINUTES}::integer and start in (
    select given::timestamptz
    from json_array_elements_text(${textsOf(starts)}::text::json) as given)`;

const text = (t: Instant): string => new Date(t).toISOString();
const textsOf = (starts: readonly Instant[]): string => JSON.stringify(starts.map(text));

const digestOf = ({ reason, raw }: RefusedRow): string =>
  new Bun.CryptoHasher("sha256").update(`${reason}\n${raw}`).digest("hex");

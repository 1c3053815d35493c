/*
 * Words (used the same in code, tables, routes and documents):
 *
 * - market: a pair as the exchange names it, `KRW-BTC`
 * - candle: one 4-hour bar of a market, named by its UTC start
 * - slot: the start of a candle; a scheduled pipeline run is for one slot: the candle that opens
 *   there is the one it forecasts, and the candle before it is the newest it may learn from
 * - closed candle: its end has passed on the exchange's clock, plus a grace; others are open
 * - hole: a slot without a candle: `unknown` until asked again, then `confirmed_empty`
 * - revision: a closed candle that came again with other values; both versions are kept
 * - as of: what was known at an instant
 * - quarantine: rows that verification refused, kept raw with the reason
 * - pipeline: collect -> verify -> train -> evaluate -> promote -> forecast, once a slot
 * - dataset: the exact rows and options that a training saw, named by its digest
 * - run: one training, with params, metrics, tags and artifacts; it lives in an experiment
 * - model, version, alias: a registered model, an immutable artifact of it, a name that points
 *   at a version (`champion`, `challenger`)
 * - gate: a check that must pass before a version may be promoted
 * - baseline: a forecast without learning
 * - forecast: an answer about a candle that has not closed; prediction: a table answer
 * - outcome: what the candle did, joined to its forecast when it closes
 *
 * Instants are milliseconds since 1970-01-01T00:00:00Z everywhere inside; ISO 8601 with `Z` outside.
 */

/** An instant: milliseconds since the Unix epoch, UTC. */
export type Instant = number;

/** One closed 4-hour bar. Prices and turnover in the quote currency, volume in the base currency. */
export interface Candle {
  readonly market: string;
  readonly start: Instant;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly turnover: number;
}

/** Length of a candle in milliseconds: the only unit collected is 240 minutes. */
export const UNIT_MINUTES = 240;
export const UNIT_MS = UNIT_MINUTES * 60_000;

/**
 * How long after a candle's end it is still taken as open. The exchange adds late trades for a
 * moment; what was read half a minute after the close has never been seen to change.
 */
export const CLOSE_GRACE_MS = 5_000;

/** The slot that the instant lies in: its UTC 4-hour boundary at or before `t`. */
export const slotOf = (t: Instant): Instant => Math.floor(t / UNIT_MS) * UNIT_MS;

/** Start of the newest candle that is closed at `now`. */
export const newestClosed = (now: Instant): Instant => slotOf(now - CLOSE_GRACE_MS) - UNIT_MS;

/** ISO 8601 UTC to the second where it falls on one: `2025-01-01T00:00:00Z`. */
export const iso = (t: Instant): string => new Date(t).toISOString().replace(".000Z", "Z");

/*
 * What a row must be before it may become a candle. Pure: text of the exchange in, a candle or
 * the reason of its refusal out. Whether a candle is closed is not decided here.
 */
import * as v from "valibot";
import { type Candle, type Instant, iso, slotOf, UNIT_MINUTES, UNIT_MS } from "../types.ts";

/** A row that passed: the candle and the time of its last trade. */
export interface Checked {
  readonly candle: Candle;
  readonly lastTradeAt: Instant;
}

/** A row that did not: why, the slot it seems to belong to, and the row as it came. */
export interface Refused {
  readonly reason: Reason;
  readonly detail: string;
  readonly start: Instant | null;
  readonly raw: string;
}

export type Reason =
  | "wrong_shape"
  | "wrong_market"
  | "wrong_unit"
  | "bad_time"
  | "off_grid"
  | "kst_mismatch"
  | "bad_price"
  | "bad_range"
  | "bad_amount"
  | "turnover_mismatch"
  | "late_trade"
  | "conflict";

/** What one page holds; `good` is oldest first, each start once. */
export interface CheckedPage {
  readonly good: readonly Checked[];
  readonly refused: readonly Refused[];
}

const KST_AHEAD_MS = 9 * 3_600_000;
/** The last tick of a candle was seen to carry a stamp of up to 42 s after its end. */
const LATE_TICK_MS = 60_000;
/** Turnover over volume is the mean price paid; it cannot leave the range but for rounding. */
const TURNOVER_TOLERANCE = 0.02;
/** Differences below this are the last digit of a printed double, not another value. */
const SAME_TOLERANCE = 1e-9;
/** A row is ten short fields; what is longer is cut before it is kept. */
const LONGEST_RAW = 4_000;

const number = v.pipe(v.number(), v.finite());
const Row = v.looseObject({
  market: v.string(),
  candle_date_time_utc: v.string(),
  candle_date_time_kst: v.string(),
  opening_price: number,
  high_price: number,
  low_price: number,
  trade_price: number,
  timestamp: v.pipe(v.number(), v.safeInteger()),
  candle_acc_trade_price: number,
  candle_acc_trade_volume: number,
  unit: number,
});

/** Checks one row of the exchange's answer for `market` against every rule. */
export function checkRow(raw: unknown, market: string): Checked | Refused {
  const refuse = (reason: Reason, detail: string): Refused => ({
    reason,
    detail,
    start: placeOf(raw),
    raw: textOf(raw),
  });
  const parsed = v.safeParse(Row, raw);
  if (!parsed.success) {
    const list = parsed.issues.map((i) => `${v.getDotPath(i) ?? "row"}: ${i.message}`);
    return refuse("wrong_shape", list.join("; "));
  }
  const row = parsed.output;
  if (row.market !== market) {
    return refuse("wrong_market", `market is "${row.market}", asked was "${market}"`);
  }
  if (row.unit !== UNIT_MINUTES) {
    return refuse("wrong_unit", `unit is ${row.unit} minutes, asked was ${UNIT_MINUTES}`);
  }
  const start = parseTime(row.candle_date_time_utc);
  if (start === null) {
    return refuse("bad_time", `"${row.candle_date_time_utc}" is no yyyy-MM-ddTHH:mm:ss`);
  }
  if (start !== slotOf(start)) {
    return refuse("off_grid", `${iso(start)} is no 4-hour boundary of UTC`);
  }
  if (parseTime(row.candle_date_time_kst) !== start + KST_AHEAD_MS) {
    const told = `${row.candle_date_time_utc} UTC is not ${row.candle_date_time_kst} KST`;
    return refuse("kst_mismatch", `${told}; KST is UTC + 9 h`);
  }
  const candle: Candle = {
    market,
    start,
    open: row.opening_price,
    high: row.high_price,
    low: row.low_price,
    close: row.trade_price,
    volume: row.candle_acc_trade_volume,
    turnover: row.candle_acc_trade_price,
  };
  const fault = candleFault(candle);
  if (fault !== null) return refuse(fault.reason, fault.detail);
  if (row.timestamp < start || row.timestamp >= start + UNIT_MS + LATE_TICK_MS) {
    return refuse("late_trade", `last trade at ${row.timestamp} is outside of ${iso(start)} + 4 h`);
  }
  return { candle, lastTradeAt: row.timestamp };
}

/** What is wrong with a candle's numbers, or null: also asked again of what is stored. */
export function candleFault(c: Candle): Pick<Refused, "reason" | "detail"> | null {
  for (const name of ["open", "high", "low", "close"] as const) {
    if (!(Number.isFinite(c[name]) && c[name] > 0)) {
      return { reason: "bad_price", detail: `${name} is ${c[name]}; accepted: finite and > 0` };
    }
  }
  const inRange = (price: number) => c.low <= price && price <= c.high;
  if (!(inRange(c.open) && inRange(c.close))) {
    const told = `open ${c.open}, high ${c.high}, low ${c.low}, close ${c.close}`;
    return { reason: "bad_range", detail: `${told}; accepted: low <= open, close <= high` };
  }
  for (const name of ["volume", "turnover"] as const) {
    if (!(Number.isFinite(c[name]) && c[name] >= 0)) {
      return { reason: "bad_amount", detail: `${name} is ${c[name]}; accepted: finite and >= 0` };
    }
  }
  const least = c.volume * c.low * (1 - TURNOVER_TOLERANCE);
  const most = c.volume * c.high * (1 + TURNOVER_TOLERANCE);
  if (c.turnover < least || c.turnover > most) {
    const told = `turnover ${c.turnover} for volume ${c.volume} at ${c.low} to ${c.high}`;
    return { reason: "turnover_mismatch", detail: `${told}; accepted: ${least} to ${most}` };
  }
  return null;
}

/**
 * Checks a whole page, in whatever order it came. A start that comes twice with the same values
 * counts once; with other values neither row is believed.
 */
export function checkPage(rows: readonly unknown[], market: string): CheckedPage {
  const good = new Map<Instant, Checked>();
  const conflicting = new Set<Instant>();
  const refused: Refused[] = [];
  for (const raw of rows) {
    const row = checkRow(raw, market);
    if ("reason" in row) {
      refused.push(row);
      continue;
    }
    const { start } = row.candle;
    const before = good.get(start);
    if (before === undefined) good.set(start, row);
    else if (!sameCandle(before.candle, row.candle)) conflicting.add(start);
  }
  for (const raw of conflicting.size === 0 ? [] : rows) {
    const start = placeOf(raw);
    if (start === null || !conflicting.has(start) || "reason" in checkRow(raw, market)) continue;
    const detail = `two rows of one page for ${iso(start)} disagree`;
    refused.push({ reason: "conflict", detail, start, raw: textOf(raw) });
  }
  for (const start of conflicting) good.delete(start);
  return { good: [...good.values()].sort((a, b) => a.candle.start - b.candle.start), refused };
}

/** Whether two rows tell the same values, up to the last digits of a printed double. */
export function sameCandle(a: Candle, b: Candle): boolean {
  return FIELDS.every((name) => {
    const scale = Math.max(Math.abs(a[name]), Math.abs(b[name]));
    return Math.abs(a[name] - b[name]) <= scale * SAME_TOLERANCE;
  });
}

const FIELDS = ["open", "high", "low", "close", "volume", "turnover"] as const;

/**
 * The exchange's `yyyy-MM-ddTHH:mm:ss` as an instant, or null. It carries no zone and means UTC
 * (or KST, as the field says); without the `Z` a Date would read it as this machine's time.
 */
function parseTime(text: string): Instant | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return null;
  const t = Date.parse(`${text}Z`);
  // Date turns the 30th of February into March: only what reads back as itself is a date.
  return Number.isNaN(t) || iso(t) !== `${text}Z` ? null : t;
}

/** The slot that a row, even a bad one, seems to belong to. */
function placeOf(raw: unknown): Instant | null {
  const text = (raw as { candle_date_time_utc?: unknown } | null)?.candle_date_time_utc;
  const t = typeof text === "string" ? parseTime(text) : null;
  return t === null ? null : slotOf(t);
}

const textOf = (raw: unknown): string => (JSON.stringify(raw) ?? "").slice(0, LONGEST_RAW);

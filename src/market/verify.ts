/*
 * Whether a market's stored candles are fit to learn from: fresh, complete, sane. The answer is a
 * report that a person can read and a gate can act on.
 */
import type { CandleStore } from "../store/candles.ts";
import { type Candle, type Instant, iso, newestClosed, slotOf, UNIT_MS } from "../types.ts";
import { candleFault } from "./rules.ts";

export type Verdict = "pass" | "warn" | "fail";

export interface Check {
  readonly name: string;
  readonly verdict: Verdict;
  /** One sentence for a person: what was found, where. */
  readonly detail: string;
  readonly value: number | string | null;
  /** What would have passed. */
  readonly accepted: string;
}

export interface VerifyReport {
  readonly market: string;
  /** The worst verdict of the checks. */
  readonly verdict: Verdict;
  readonly from: Instant;
  readonly to: Instant;
  readonly checks: readonly Check[];
}

/** The candles that a model's newest features and tests rest on: about twelve weeks. */
const RECENT = 500;
/** Within these a hole must be settled: two weeks. */
const NEWEST = 90;
const LEAST_SHARE = 0.98;
/** Logarithmic return of a close over the close before; ln(1.28) and ln(1.65). */
const ODD_JUMP = 0.25;
const WILD_JUMP = 0.5;

/** Checks what is stored of a market from `since` to the newest candle closed at `now`. */
export async function verifyMarket(
  store: CandleStore,
  market: string,
  { since, now }: { readonly since: Instant; readonly now: Instant },
): Promise<VerifyReport> {
  const to = newestClosed(now);
  const { firstStart, trouble } = await store.stateOf(market);
  const from = slotOf(Math.max(since, firstStart ?? since) + UNIT_MS - 1);
  const range = { from, to: to + UNIT_MS };
  const recent = { from: Math.max(from, to - (RECENT - 1) * UNIT_MS), to: range.to };
  const candles = await store.read(market, range);
  const holes = await store.holesOf(market, recent);
  const empty = new Set(holes.filter((h) => h.state === "confirmed_empty").map((h) => h.start));
  const revisions = await store.revisionsOf(market, recent);
  const bad = await store.quarantined({ market, ...recent, limit: 1_000 });

  const starts = new Set(candles.map((c) => c.start));
  const inRecent = candles.filter((c) => c.start >= recent.from);
  const checks = [
    listed(trouble),
    fresh(starts, empty, to),
    settled(starts, empty, Math.max(recent.from, to - (NEWEST - 1) * UNIT_MS), to),
    complete(inRecent.length, Math.max(0, (recent.to - recent.from) / UNIT_MS)),
    sane(candles),
    jumps(inRecent),
    quarantine(bad.filter((row) => row.start !== null && !starts.has(row.start)).length),
    revised(revisions.length),
  ];
  return { market, verdict: worst(checks), from, to, checks };
}

function listed(trouble: string | null): Check {
  const verdict = trouble === null ? "pass" : "fail";
  const detail = trouble ?? "The exchange knows the market.";
  return { name: "listed", verdict, detail, value: trouble, accepted: "known to the exchange" };
}

function fresh(starts: ReadonlySet<Instant>, empty: ReadonlySet<Instant>, to: Instant): Check {
  const accepted = `the candle of ${iso(to)}`;
  const check = { name: "fresh", accepted };
  if (starts.has(to)) {
    const detail = `The newest closed candle, ${iso(to)}, is stored.`;
    return { ...check, verdict: "pass", detail, value: iso(to) };
  }
  if (empty.has(to)) {
    const detail = `Nothing was traded in the newest closed slot, ${iso(to)}.`;
    return { ...check, verdict: "warn", detail, value: null };
  }
  const newest = starts.size === 0 ? null : iso(Math.max(...starts));
  const detail = `The newest closed candle, ${iso(to)}, is missing; stored to ${newest ?? "never"}.`;
  return { ...check, verdict: "fail", detail, value: newest };
}

/** Counts slots that have neither a candle nor the exchange's word that there is none. */
function settled(
  starts: ReadonlySet<Instant>,
  empty: ReadonlySet<Instant>,
  from: Instant,
  to: Instant,
): Check {
  const open: Instant[] = [];
  for (let s = from; s <= to; s += UNIT_MS) if (!starts.has(s) && !empty.has(s)) open.push(s);
  const told = open.slice(0, 3).map(iso).join(", ");
  return {
    name: "settled",
    verdict: open.length === 0 ? "pass" : "fail",
    detail:
      open.length === 0
        ? `Each of the newest ${NEWEST} slots has a candle or is confirmed empty.`
        : `${open.length} of the newest ${NEWEST} slots are unknown: ${told}.`,
    value: open.length,
    accepted: "0 unknown",
  };
}

function complete(stored: number, expected: number): Check {
  const share = expected === 0 ? 0 : stored / expected;
  return {
    name: "complete",
    verdict: share >= LEAST_SHARE ? "pass" : "fail",
    detail: `${stored} of the newest ${expected} slots have a candle.`,
    value: Number(share.toFixed(4)),
    accepted: `>= ${LEAST_SHARE}`,
  };
}

function sane(candles: readonly Candle[]): Check {
  const faults = candles.flatMap((c) => {
    const fault = candleFault(c);
    return fault === null ? [] : [`${iso(c.start)}: ${fault.detail}`];
  });
  return {
    name: "sane",
    verdict: faults.length === 0 ? "pass" : "fail",
    detail: faults[0] ?? `All ${candles.length} stored candles keep the rules.`,
    value: faults.length,
    accepted: "0 candles against the rules",
  };
}

/**
 * A wild jump fails unless it was traded through: a crash passes the old price on its way, a
 * redenomination or a wrong unit does not.
 */
function jumps(candles: readonly Candle[]): Check {
  let largest = 0;
  let at: Candle | null = null;
  let torn: Candle | null = null;
  for (const [i, candle] of candles.entries()) {
    const before = candles[i - 1];
    if (before === undefined) continue;
    const jump = Math.abs(Math.log(candle.close / before.close));
    if (jump > largest) [largest, at] = [jump, candle];
    const through = candle.low <= before.close && before.close <= candle.high;
    if (jump > WILD_JUMP && !through) torn = candle;
  }
  const where = at === null ? "" : ` at ${iso((torn ?? at).start)}`;
  return {
    name: "jumps",
    verdict: torn !== null ? "fail" : largest > ODD_JUMP ? "warn" : "pass",
    detail:
      torn === null
        ? `The largest move from close to close is ${percent(largest)}${where}.`
        : `The price tore away without trading through${where}: another unit or coin?`,
    value: Number(largest.toFixed(4)),
    accepted: `|ln(close / close before)| <= ${ODD_JUMP}, or <= ${WILD_JUMP} unless traded through`,
  };
}

function quarantine(unresolved: number): Check {
  return {
    name: "quarantine",
    verdict: unresolved === 0 ? "pass" : "warn",
    detail: `${unresolved} refused rows of recent slots have no good row in their place.`,
    value: unresolved,
    accepted: "0",
  };
}

function revised(count: number): Check {
  const detail = `${count} recent candles came again with other values; both are kept.`;
  const accepted = "any number; what was learned before keeps its own values";
  return { name: "revisions", verdict: "pass", detail, value: count, accepted };
}

const worst = (checks: readonly Check[]): Verdict =>
  (["fail", "warn"] as const).find((v) => checks.some((c) => c.verdict === v)) ?? "pass";

const percent = (log: number): string => `${(100 * (Math.exp(log) - 1)).toFixed(1)} %`;

/** The report as lines for a person: the verdict, then each check with what was found. */
export function reportText(report: VerifyReport): string {
  const head = `${report.market}: ${report.verdict}, ${iso(report.from)} to ${iso(report.to)}`;
  const lines = report.checks.map((check) => {
    const more = check.verdict === "pass" ? "" : ` (accepted: ${check.accepted})`;
    return `  ${check.verdict.padEnd(4)}  ${check.name.padEnd(10)}  ${check.detail}${more}`;
  });
  return [head, ...lines].join("\n");
}

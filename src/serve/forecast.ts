/*
 * Forecasts of the next candle. The champion's is stored, with the digests of its inputs and of its
 * model, before it is answered; asked again on the same inputs, it is the same. That of another
 * version is what it would have said: it is answered and not stored, since the live record tells
 * how those turned out that were given as the model's word.
 */
import { SluiceError } from "../errors.ts";
import { type Series, seriesOf } from "../feature/candles.ts";
import { featuresAt } from "../feature/features.ts";
import { lookbackOf } from "../feature/spec.ts";
import { isMarket, type ModelFile } from "../models.ts";
import { CHAMPION } from "../registry/promotion.ts";
import type { CandleStore } from "../store/candles.ts";
import type { Forecasts, NewForecast } from "../store/forecasts.ts";
import { sha256 } from "../store/objects.ts";
import { type Candle, type Instant, iso, newestClosed, UNIT_MS } from "../types.ts";
import type { Champions, Served } from "./champions.ts";
import { asMarket, type LoadedMarket } from "./loaded.ts";
import type { ServedVersions } from "./versions.ts";

export { unknownModel } from "./versions.ts";

/** The answer of `GET /v1/models/{m}/forecast`. Prices in the quote currency. */
export interface ForecastAnswer {
  readonly id: string;
  readonly model: { readonly name: string; readonly version: number; readonly digest: string };
  readonly market: string;
  readonly made_at: string;
  readonly last_closed: { readonly start: string; readonly close: number } | null;
  readonly target: { readonly start: string; readonly close: string };
  /** Probability that the target candle closes above the last one; null when abstaining. */
  readonly up: number | null;
  readonly quantiles: { readonly p10: number; readonly p50: number; readonly p90: number } | null;
  readonly skill: {
    readonly log_loss: number;
    readonly baseline_log_loss: number;
    readonly better: boolean;
  };
  readonly abstain: { readonly reason: string; readonly detail: string } | null;
  /**
   * Where it was asked for, and null when abstaining: the log-odds of up that the version begins
   * with, and what each feature adds to them.
   */
  readonly base?: number | null;
  readonly contributions?: Readonly<Record<string, number>> | null;
}

export interface ForecastDeps {
  readonly models: ReadonlyMap<string, ModelFile>;
  readonly champions: Pick<Champions, "state">;
  readonly served: ServedVersions;
  readonly candles: CandleStore;
  readonly forecasts: Forecasts;
  readonly clock: { now(): Instant };
}

export interface Forecaster {
  /** By the champion, or by the version of that number or alias. */
  forecast(model: string, version?: string | null, isExplained?: boolean): Promise<ForecastAnswer>;
  /** Forgets what is kept in memory: candles have come in. */
  candlesChanged(): void;
}

type ServedMarket = Served & LoadedMarket;

interface Kept {
  readonly slot: Instant;
  readonly until: number;
  readonly made: Promise<Made>;
}

/** A forecast, and what it was made of. */
interface Made {
  readonly answer: ForecastAnswer;
  readonly features: Float32Array;
}

/** How long an answer is given again before the candles are read anew (other replicas collect). */
const KEEP_MS = 5_000;

export function makeForecaster(deps: ForecastDeps): Forecaster {
  const kept = new Map<string, Kept>();

  /** The answer of this version for the slot: that of a moment ago, or a new one. */
  function forecastBy(served: ServedMarket, slot: Instant, isStored: boolean) {
    const { model, version } = served;
    const key = `${model}@${version} ${isStored}`;
    const now = Date.now();
    const known = kept.get(key);
    if (known !== undefined && known.slot === slot && known.until > now) return known.made;
    for (const [other, { until }] of kept) if (until <= now) kept.delete(other);
    const made = makeForecast(served, slot, isStored, deps);
    kept.set(key, { slot, until: now + KEEP_MS, made });
    // A failure is not kept: the next request tries anew.
    made.catch(() => kept.delete(key));
    return made;
  }

  return {
    candlesChanged: () => kept.clear(),
    forecast: async (name, version = null, isExplained = false) => {
      const model = deps.models.get(name);
      if (model !== undefined && !isMarket(model)) throw noForecast(name);
      return deps.served.use(name, version, async (served) => {
        // Without a model file nobody collects the candles that it would look at.
        if (model === undefined) throw noForecast(name);
        // Before the exchange has told its time nobody knows which candle comes next.
        if (deps.clock.now() === 0) throw noTime();
        const champion = deps.champions.state(name).champion?.version;
        const isStored = version === null || version === CHAMPION || served.version === champion;
        const slot = newestClosed(deps.clock.now()) + UNIT_MS;
        if (served.kind === "plain") throw served.trouble ?? noForecast(name);
        const market = asMarket(served);
        const { answer, features } = await forecastBy(market, slot, isStored);
        if (!isExplained) return answer;
        // Beside what is stored, which stays as it is.
        if (answer.abstain !== null) return { ...answer, base: null, contributions: null };
        return { ...answer, ...market.explain(features, 1)[0]! };
      });
    },
  };
}

async function makeForecast(
  served: ServedMarket,
  slot: Instant,
  isStored: boolean,
  deps: ForecastDeps,
): Promise<Made> {
  const { facts } = served;
  const from = slot - lookbackOf(facts.feature_spec) * UNIT_MS;
  const markets = [...new Set([facts.market, ...facts.feature_spec.peers])];
  const lists = await Promise.all(
    markets.map((market) => deps.candles.read(market, { from, to: slot })),
  );
  const series = new Map<string, Series>(
    markets.map((market, i) => [market, seriesOf(market, lists[i] ?? [])]),
  );
  const features = featuresAt(facts.feature_spec, series, facts.market, slot);
  const own = lists[0] ?? [];
  const last = own.at(-1) ?? null;
  const abstain = await abstainReason(last, slot, facts.market, deps);
  const output = abstain === null ? await served.session.run(features, 1) : null;
  const answer: ForecastAnswer = {
    id: Bun.randomUUIDv7(),
    model: { name: served.model, version: served.version, digest: served.digest },
    market: facts.market,
    made_at: iso(deps.clock.now()),
    last_closed: last === null ? null : { start: iso(last.start), close: last.close },
    target: { start: iso(slot), close: iso(slot + UNIT_MS) },
    up: output === null ? null : output.probability[0]!,
    quantiles: output === null || last === null ? null : pricesOf(last, output.quantiles),
    skill: {
      log_loss: facts.skill.log_loss,
      baseline_log_loss: facts.skill.baseline_log_loss,
      better: facts.skill.better,
    },
    abstain,
  };
  if (!isStored) return { answer, features };
  const row = await deps.forecasts.store(rowOf(answer, served, slot, features, own));
  // What was told once is told again as it was: the newest candle may be another by now.
  return { answer: inOrderOf(answer, row.answer) as ForecastAnswer, features };
}

/** A value of a column that does not keep the order of its fields, with its fields in order. */
function inOrderOf(order: unknown, value: unknown): unknown {
  if (!isFields(order) || !isFields(value)) return value;
  const names = new Set([...Object.keys(order), ...Object.keys(value)]);
  return Object.fromEntries(
    [...names].flatMap((name) =>
      name in value ? [[name, inOrderOf(order[name], value[name])]] : [],
    ),
  );
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Quantiles of the log return become prices at the target candle's close. */
const pricesOf = (last: Candle, quantiles: Float32Array) => ({
  p10: last.close * Math.exp(quantiles[0]!),
  p50: last.close * Math.exp(quantiles[1]!),
  p90: last.close * Math.exp(quantiles[2]!),
});

async function abstainReason(
  last: Candle | null,
  slot: Instant,
  market: string,
  deps: ForecastDeps,
): Promise<ForecastAnswer["abstain"]> {
  const wanted = slot - UNIT_MS;
  if (last?.start === wanted) return null;
  const holes = await deps.candles.holesOf(market, { from: wanted, to: slot });
  const empty = holes.some((hole) => hole.state === "confirmed_empty");
  if (last !== null && empty && wanted - last.start <= 3 * UNIT_MS) return null;
  return {
    reason: "stale_candles",
    detail: `The candle ${iso(wanted)} has closed and is not collected yet; the newest stored is ${
      last === null ? "none" : iso(last.start)
    }.`,
  };
}

function rowOf(
  answer: ForecastAnswer,
  champion: ServedMarket,
  slot: Instant,
  features: Float32Array,
  own: readonly Candle[],
): NewForecast {
  const [before, last] = own.slice(-2);
  const wentUp = before !== undefined && last !== undefined && last.close > before.close;
  const baselines = Object.entries(champion.facts.baselines).map(([name, chance]) => [
    name,
    wentUp ? chance.after_up : chance.after_other,
  ]);
  const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
  const inputs = `${champion.facts.feature_digest} ${answer.abstain?.reason ?? ""} ${sha256(bytes)}`;
  return {
    id: answer.id,
    model: champion.model,
    version: champion.version,
    modelDigest: champion.digest,
    inputsDigest: sha256(inputs),
    market: answer.market,
    targetStart: slot,
    madeAt: Date.parse(answer.made_at),
    answer: { ...answer },
    up: answer.up,
    baselines: Object.fromEntries(baselines),
  };
}

const noTime = (): SluiceError =>
  new SluiceError({
    code: "exchange_unreachable",
    status: 503,
    detail: "The exchange has not answered yet, so its time is not known.",
    fix: "Wait until /readyz says that the exchange answers.",
    retryAfter: 5,
  });

/** It answers about rows, not about a candle to come. */
const noForecast = (name: string): SluiceError =>
  new SluiceError({
    code: "no_forecast",
    status: 422,
    detail: `Model ${name} is of no market: it has no next candle to forecast.`,
    fix: `Ask POST /v1/models/${name}/predict about rows of your own.`,
  });

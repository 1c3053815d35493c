/*
 * What Prometheus reads. Labels are route patterns, methods that exist, names of models that were
 * found, numbers of versions that are loaded, and codes of errors: nothing that a caller could make
 * up, or the series would grow without end.
 */
import { Gauge, Registry } from "prom-client";
import { marketsOf } from "../flow/control.ts";
import { inTime } from "../late.ts";
import { type Instant, UNIT_MS } from "../types.ts";
import { counters, histograms, type Spread } from "./series.ts";
import type { HttpServices } from "./services.ts";
import { makeServings, type Serving } from "./serving.ts";
import { makeUpkeep } from "./upkeep.ts";

export interface Metrics {
  request(route: string, method: string, status: number, seconds: number): void;
  problem(code: string): void;
  /** A request was sent away (429), for the reason that its code tells. */
  rejected(code: string): void;
  forecast(model: string): void;
  predictions(model: string, rows: number): void;
  /** An answer of the model held a value that is not finite. */
  nonFinite(model: string): void;
  /** The cache of answers was asked. */
  cache(model: string, result: "hit" | "miss" | "error"): void;
  /** What is measured of a version that serves; remembered, so ask for it as often as you like. */
  serving(model: string, version: number): Serving;
  /** Spans that reached the collector, or did not, for a reason. */
  spans(outcome: SpanOutcome, count: number): void;
  /** Payloads that were kept, or not, for a reason. */
  samples(outcome: SampleOutcome): void;
  /** Requests under way at this moment. */
  inFlight: number;
  /** All series as text, with what is read from the services at this moment. */
  text(services: ScrapedServices): Promise<string>;
  readonly contentType: string;
}

export type SpanOutcome = "sent" | "queue_full" | "failed";
export type SampleOutcome = "kept" | "behind" | "too_large" | "failed";

export type ScrapedServices = Pick<
  HttpServices,
  "models" | "champions" | "pool" | "candles" | "clock" | "retention" | "sizes"
>;

/** What comes of the database may take so long, or it is left out. */
const SOON_MS = 1_000;

/** A scrape tells what is known without the database too: then it is needed most. */
const soon = <T>(work: Promise<T>): Promise<T | null> =>
  inTime(
    work.catch(() => null),
    SOON_MS,
    () => null,
  );

const METHODS = ["POST", "GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"];

/** Upper bounds of times, seconds: an answer may take 50 µs or the whole deadline. */
const TIMES = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  10,
];

/** The metrics of one server, in a registry of their own. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const duration = histograms({
    name: "http_request_duration_seconds",
    help: "Time from a request's arrival to its answer.",
    labels: ["route", "method", "status"],
    buckets: TIMES,
    registry,
  });
  const inFlight = new Gauge({
    name: "http_requests_in_flight",
    help: "Requests under way.",
    registers,
  });
  const counter = (name: string, help: string, ...labels: string[]) =>
    counters({ name, help, labels, registry });
  const problems = counter("sluice_problems_total", "Answers that told of an error.", "code");
  const rejected = counter("sluice_rejected_total", "Requests sent away with 429.", "reason");
  const forecasts = counter("sluice_forecasts_total", "Forecasts answered.", "model");
  const predictions = counter("sluice_predictions_total", "Rows predicted.", "model");
  const nonFinite = counter(
    "sluice_non_finite_outputs_total",
    "Answers not given out, since a value of them was not finite.",
    "model",
  );
  const cache = counter(
    "sluice_response_cache_total",
    "Questions to the cache of answers.",
    ...["model", "result"],
  );
  const spans = counter("sluice_spans_total", "Spans by what became of them.", "outcome");
  const samples = counter("sluice_samples_total", "Payloads to be kept.", "outcome");
  const servings = makeServings(registry);
  const upkeep = makeUpkeep(registry);
  const champion = new Gauge({
    name: "sluice_champion_version",
    help: "Number of the version that is loaded and serves; absent without one.",
    labelNames: ["model"],
    registers,
  });
  const waiting = new Gauge({
    name: "sluice_queue_rows",
    help: "Rows that wait for their turn with the champion.",
    labelNames: ["model"],
    registers,
  });
  const poolVersions = new Gauge({
    name: "sluice_pool_versions",
    help: "Versions that are loaded since they were asked for, beside the champions.",
    registers,
  });
  const poolBytes = new Gauge({
    name: "sluice_pool_bytes",
    help: "Memory that those take, estimated from their size.",
    registers,
  });
  const age = new Gauge({
    name: "sluice_candles_newest_age_seconds",
    help: "Exchange time since the newest stored candle closed; absent without one.",
    labelNames: ["market"],
    registers,
  });
  const view = new Gauge({
    name: "sluice_aliases_age_seconds",
    help: "How old this process's view of the aliases is; +Inf before the first reading.",
    registers,
  });
  const memory = new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of this process.",
    registers,
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of this process, seconds since the Unix epoch.",
    registers,
  }).set(Math.floor(Date.now() / 1000 - process.uptime()));

  /** Reads what is a state and not an event, just before it is told. */
  async function look(services: ScrapedServices): Promise<void> {
    const { models, champions, pool, candles, clock } = services;
    memory.set(process.memoryUsage.rss());
    await soon(upkeep(services));
    poolVersions.set(pool.held().length);
    poolBytes.set(pool.bytes());
    inFlight.set(metrics.inFlight);
    view.set((champions.view().ageMs ?? Number.POSITIVE_INFINITY) / 1000);
    champion.reset();
    waiting.reset();
    const loaded = new Map<string, number>();
    for (const model of champions.names()) {
      const { champion: serves } = champions.state(model);
      if (serves === null) continue;
      loaded.set(model, serves.version);
      if (serves.kind !== "plain") waiting.set({ model }, serves.session.waiting());
      champion.set({ model }, serves.version);
    }
    servings.trim((model, version) => loaded.get(model) === version);
    const markets = marketsOf(models);
    const newest = (await soon(Promise.all(markets.map((market) => candles.newest(market))))) ?? [];
    age.reset();
    for (const [i, market] of markets.entries()) {
      const start: Instant | null = newest[i] ?? null;
      if (start !== null) age.set({ market }, (clock.now() - start - UNIT_MS) / 1000);
    }
  }

  // Found again by what a request knows anyway, so that no key has to be put together.
  const durations = new Map<string, Map<number, Spread>>();
  function durationOf(route: string, method: string, status: number): Spread {
    const place = METHODS.indexOf(method);
    const key = status * 10 + place;
    const known = durations.get(route)?.get(key);
    if (known !== undefined) return known;
    const spread = duration.of(route, METHODS[place] ?? "other", String(status));
    const ofRoute = durations.get(route) ?? new Map<number, Spread>();
    durations.set(route, ofRoute.set(key, spread));
    return spread;
  }

  const metrics: Metrics = {
    request: (route, method, status, seconds) => durationOf(route, method, status).observe(seconds),
    problem: (code) => problems.of(code).add(1),
    rejected: (code) => rejected.of(code).add(1),
    forecast: (model) => forecasts.of(model).add(1),
    predictions: (model, rows) => predictions.of(model).add(rows),
    nonFinite: (model) => nonFinite.of(model).add(1),
    cache: (model, result) => cache.of(model, result).add(1),
    serving: servings.of,
    spans: (outcome, count) => spans.of(outcome).add(count),
    samples: (outcome) => samples.of(outcome).add(1),
    inFlight: 0,
    text: async (services) => {
      await look(services);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
  return metrics;
}

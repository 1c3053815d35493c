/*
 * What Prometheus reads. Labels are route patterns, methods that exist, model names of files and
 * codes of errors: nothing that a caller could make up, or the series would grow without end.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { marketsOf } from "../flow/control.ts";
import { type Instant, UNIT_MS } from "../types.ts";
import type { HttpServices } from "./services.ts";

export interface Metrics {
  request(route: string, method: string, status: number, seconds: number): void;
  problem(code: string): void;
  forecast(model: string): void;
  predictions(model: string, rows: number): void;
  /** All series as text, with what is read from the services at this moment. */
  text(services: ScrapedServices): Promise<string>;
  readonly contentType: string;
}

export type ScrapedServices = Pick<HttpServices, "models" | "champions" | "candles" | "clock">;

const METHODS = new Set(["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]);

/** The metrics of one server, in a registry of their own. */
export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const duration = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from a request's arrival to its answer.",
    labelNames: ["route", "method", "status"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const problems = new Counter({
    name: "sluice_problems_total",
    help: "Answers that told of an error, by its code.",
    labelNames: ["code"],
    registers,
  });
  const forecasts = new Counter({
    name: "sluice_forecasts_total",
    help: "Forecasts answered.",
    labelNames: ["model"],
    registers,
  });
  const predictions = new Counter({
    name: "sluice_predictions_total",
    help: "Rows predicted.",
    labelNames: ["model"],
    registers,
  });
  const champion = new Gauge({
    name: "sluice_champion_version",
    help: "Number of the version that is loaded and serves; absent without one.",
    labelNames: ["model"],
    registers,
  });
  const age = new Gauge({
    name: "sluice_candles_newest_age_seconds",
    help: "Exchange time since the newest stored candle closed; absent without one.",
    labelNames: ["market"],
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
  async function look({ models, champions, candles, clock }: ScrapedServices): Promise<void> {
    memory.set(process.memoryUsage.rss());
    champion.reset();
    for (const model of models.keys()) {
      const loaded = champions.state(model).champion;
      if (loaded !== null) champion.set({ model }, loaded.version);
    }
    const markets = marketsOf(models);
    const newest = await Promise.all(markets.map((market) => candles.newest(market)));
    age.reset();
    for (const [i, market] of markets.entries()) {
      const start: Instant | null = newest[i] ?? null;
      if (start !== null) age.set({ market }, (clock.now() - start - UNIT_MS) / 1000);
    }
  }

  return {
    request: (route, method, status, seconds) =>
      duration.observe(
        { route, method: METHODS.has(method) ? method : "other", status: String(status) },
        seconds,
      ),
    problem: (code) => problems.inc({ code }),
    forecast: (model) => forecasts.inc({ model }),
    predictions: (model, rows) => predictions.inc({ model }, rows),
    text: async (services) => {
      await look(services);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

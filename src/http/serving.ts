/*
 * What is measured of each version that serves. Versions come and go for as long as the program
 * runs, so their series go too: some minutes after the last request of one that is no champion.
 */
import type { Registry } from "prom-client";
import type { Watch } from "../serve/batch.ts";
import { histograms } from "./series.ts";

/** What is measured of one version. */
export interface Serving extends Watch {
  /** A request asked about so many rows. */
  request(rows: number): void;
}

export interface Servings {
  /** The measures of a version: the same ones until it is let go of. */
  of(model: string, version: number): Serving;
  /** Lets go of versions that are no champion and that nobody has asked for some minutes. */
  trim(isChampion: (model: string, version: number) => boolean): void;
}

const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096, 10_000];
const TIMES = [
  ...[0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025],
  ...[0.05, 0.1, 0.25, 1],
];
const IDLE_MS = 300_000;
/** Where nobody reads the metrics, nobody trims: then the version asked longest ago goes. */
const MOST = 128;

interface Kept {
  readonly model: string;
  readonly version: number;
  readonly serving: Serving;
  usedAt: number;
}

export function makeServings(
  registry: Registry,
  now: () => number = () => performance.now(),
): Servings {
  const labels = ["model", "version"];
  const common = { labels, registry };
  const requestRows = histograms({
    name: "sluice_request_rows",
    help: "Rows of a request to predict.",
    buckets: ROWS,
    ...common,
  });
  const runRows = histograms({
    name: "sluice_run_rows",
    help: "Rows of a call of the runtime, which may join several requests.",
    buckets: ROWS,
    ...common,
  });
  const queueTime = histograms({
    name: "sluice_queue_seconds",
    help: "Time that the rows of a request waited for the runtime.",
    buckets: TIMES,
    ...common,
  });
  const runTime = histograms({
    name: "sluice_run_seconds",
    help: "Time of a call of the runtime.",
    buckets: TIMES,
    ...common,
  });
  const families = [requestRows, runRows, queueTime, runTime];
  const all = new Map<string, Map<number, Kept>>();
  const listed = () => [...all.values()].flatMap((versions) => [...versions.values()]);

  function make(model: string, version: number): Kept {
    const values = [model, String(version)] as const;
    const requests = requestRows.of(...values);
    const runs = runRows.of(...values);
    const queue = queueTime.of(...values);
    const time = runTime.of(...values);
    const kept: Kept = {
      ...{ model, version, usedAt: now() },
      serving: {
        request: requests.observe,
        queued: queue.observe,
        run: (rows, seconds) => {
          runs.observe(rows);
          time.observe(seconds);
          kept.usedAt = now();
        },
      },
    };
    return kept;
  }

  function drop({ model, version }: Kept): void {
    const versions = all.get(model);
    versions?.delete(version);
    if (versions?.size === 0) all.delete(model);
    for (const family of families) family.drop(model, String(version));
  }

  function add(model: string, version: number): Kept {
    const kept = make(model, version);
    const known = listed();
    if (known.length >= MOST) drop(known.reduce((a, b) => (b.usedAt < a.usedAt ? b : a)));
    const versions = all.get(model) ?? new Map<number, Kept>();
    all.set(model, versions.set(version, kept));
    return kept;
  }

  return {
    of: (model, version) => (all.get(model)?.get(version) ?? add(model, version)).serving,
    trim: (isChampion) => {
      const oldest = now() - IDLE_MS;
      for (const kept of listed()) {
        if (kept.usedAt <= oldest && !isChampion(kept.model, kept.version)) drop(kept);
      }
    },
  };
}

/*
 * The spans of requests, where a collector is configured. The library takes some milliseconds to
 * load, so it is loaded beside the start: what comes before that has no span.
 */
import type { TracingConfig } from "../config.ts";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "./metrics.ts";
import type { OpenSpan, Spans } from "./spans.ts";
import { traceParentOf } from "./trace.ts";

export interface Tracing {
  /** The span of a request that has just come, or null while there is nobody to tell of it. */
  begin(headers: Headers): OpenSpan | null;
  /** Sends what is waiting. */
  stop(): Promise<void>;
}

export interface TracingDeps {
  readonly config: TracingConfig;
  readonly version: string;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "spans">;
}

/** Begins to trace. A library that does not load is logged, and requests go on without spans. */
export function makeTracing({ config, version, log, metrics }: TracingDeps): Tracing {
  let spans: Spans | null = null;
  const loading = import("./spans.ts")
    .then(({ openSpans }) => {
      spans = openSpans({
        ...{ config, version, onSpans: metrics.spans },
        onTrouble: (reason) => log.warn("spans_not_sent", { reason }),
      });
      return spans;
    })
    .catch((thrown) => {
      log.error("tracing_failed", { reason: reasonOf(thrown) });
      return null;
    });
  return {
    begin: (headers) => {
      if (spans === null) return null;
      const parent = traceParentOf(headers.get("traceparent"));
      return spans.begin(parent, parent === null ? null : headers.get("tracestate"));
    },
    stop: async () => (await loading)?.stop(),
  };
}

/*
 * Spans for OpenTelemetry: one a request, sent in batches in the background, dropped and counted
 * where the collector is slow or away. Imported only where a collector is configured.
 */
import { createTraceState, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import * as sdk from "@opentelemetry/sdk-trace";
import type { SamplerName, TracingConfig } from "../config.ts";
import type { SpanOutcome } from "./metrics.ts";
import type { TraceParent } from "./trace.ts";

/** A request as a trace sees it; what is not known is left out. */
export interface SpanFacts {
  readonly method: string;
  readonly route: string;
  readonly path: string;
  readonly status: number;
  readonly requestId: string;
  /** The code of the error that was told. */
  readonly code?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: number | undefined;
  readonly rows?: number | undefined;
}

export interface OpenSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Whether it will be sent: then `end` is worth telling the facts. */
  readonly isKept: boolean;
  end(facts: SpanFacts): void;
}

export interface Spans {
  /** Begins the span of a request now, below the caller's where there is one. */
  begin(parent: TraceParent | null, state: string | null): OpenSpan;
  /** Sends what is waiting, for two seconds at most; what is left then is counted as failed. */
  stop(): Promise<void>;
}

export interface SpansOptions {
  readonly config: TracingConfig;
  readonly version: string;
  /** Told of every span that was sent or lost. */
  onSpans(outcome: SpanOutcome, count: number): void;
  /** Told when sending begins to fail, and of no further failure until it has worked again. */
  onTrouble(reason: string): void;
  /** How long spans are gathered before they are sent. */
  readonly everyMs?: number;
  readonly stopMs?: number;
}

const QUEUE = 4_096;
/** Turned into text at once: some more and other requests would wait for it for milliseconds. */
const BATCH = 128;
const EVERY_MS = 2_000;
const SEND_MS = 5_000;
const STOP_MS = 2_000;
/** A tracestate is handed on, not read; no caller needs more than the recommendation's 512. */
const STATE_MOST = 512;
const KNOWN = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]);

/** Begins to send spans to the collector. */
export function openSpans(options: SpansOptions): Spans {
  const { config, version, stopMs = STOP_MS } = options;
  let waiting = 0;
  let stopping: Promise<void> | null = null;
  let isOver = false;
  const onSpans: SpansOptions["onSpans"] = (outcome, count) => {
    if (!isOver) options.onSpans(outcome, count);
  };
  const onTaken = (count: number) => {
    waiting -= count;
  };
  const batches = new sdk.BatchSpanProcessor({
    exporter: exporterOf({ ...options, onSpans }, onTaken),
    maxQueueSize: 2 * QUEUE,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: options.everyMs ?? EVERY_MS,
    exportTimeoutMillis: SEND_MS + 1_000,
  });
  // The library drops without a word; what is in front of it counts what it drops.
  const gate: sdk.SpanProcessor = {
    onStart: () => {},
    onEnd: (span) => {
      if (waiting >= QUEUE) {
        onSpans("queue_full", 1);
        return;
      }
      waiting++;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
  const about = resourceFromAttributes({
    "service.name": config.service,
    "service.version": version,
    "service.instance.id": crypto.randomUUID(),
  });
  const provider = new sdk.TracerProvider({
    resource: defaultResource().merge(about),
    sampler: samplerOf(config),
    spanProcessors: [gate],
  });
  const tracer = provider.getTracer("sluice", version);

  return {
    begin: (parent, state) => {
      const kind = SpanKind.SERVER;
      const span = tracer.startSpan("HTTP", { kind }, contextOf(parent, state));
      const { traceId, spanId } = span.spanContext();
      return {
        traceId,
        spanId,
        isKept: span.isRecording(),
        end: (facts) => {
          span.updateName(`${nameOf(facts.method)} ${facts.route}`);
          span.setAttributes(attributesOf(facts));
          // Of a server only its own faults are errors.
          if (facts.status >= 500) span.setStatus({ code: 2 });
          span.end();
        },
      };
    },
    stop: () => {
      stopping ??= (async () => {
        await Promise.race([provider.shutdown().catch(() => {}), Bun.sleep(stopMs)]);
        if (waiting > 0) onSpans("failed", waiting);
        isOver = true;
      })();
      return stopping;
    },
  };
}

/** The library's exporter, with a word about what became of each batch. */
function exporterOf(
  { config, onSpans, onTrouble }: SpansOptions,
  onTaken: (count: number) => void,
): sdk.SpanExporter {
  const exporter = new OTLPTraceExporter({
    url: `${config.endpoint}/v1/traces`,
    headers: config.headers,
    timeoutMillis: SEND_MS,
  });
  let troubled = false;
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        onTaken(spans.length);
        const failed = result.code !== 0;
        onSpans(failed ? "failed" : "sent", spans.length);
        if (failed && !troubled) onTrouble(result.error?.message ?? "refused");
        troubled = failed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}

const samplers: Record<SamplerName, (ratio: number) => sdk.Sampler> = {
  always_on: () => new sdk.AlwaysOnSampler(),
  always_off: () => new sdk.AlwaysOffSampler(),
  traceidratio: (ratio) => new sdk.TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new sdk.ParentBasedSampler({ root: new sdk.AlwaysOnSampler() }),
  parentbased_always_off: () => new sdk.ParentBasedSampler({ root: new sdk.AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) =>
    new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(ratio) }),
};

const samplerOf = ({ sampler, ratio }: TracingConfig): sdk.Sampler => samplers[sampler](ratio);

function contextOf(parent: TraceParent | null, state: string | null) {
  if (parent === null) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const isTold = state !== null && state.length <= STATE_MOST;
  const told = isTold ? { traceState: createTraceState(state) } : {};
  const caller = { traceId, spanId, traceFlags, isRemote: true, ...told };
  return trace.setSpanContext(ROOT_CONTEXT, caller);
}

/** The method in a span's name, which may take few values. */
const nameOf = (method: string): string => (KNOWN.has(method) ? method : "HTTP");

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/; the query may hold secrets. */
function attributesOf(facts: SpanFacts): Record<string, string | number> {
  const { method, status, code, model, version, rows } = facts;
  const isKnown = KNOWN.has(method);
  const all: Record<string, string | number> = {
    "http.request.method": isKnown ? method : "_OTHER",
    "http.route": facts.route,
    "http.response.status_code": status,
    "url.path": facts.path,
    "url.scheme": "http",
    "sluice.request_id": facts.requestId,
  };
  if (!isKnown) all["http.request.method_original"] = method;
  if (status >= 500) all["error.type"] = code ?? String(status);
  if (code !== undefined) all["sluice.code"] = code;
  if (model !== undefined) all["sluice.model"] = model;
  if (version !== undefined) all["sluice.version"] = version;
  if (rows !== undefined) all["sluice.rows"] = rows;
  return all;
}

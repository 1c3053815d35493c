/*
 * Whose request this one serves: the W3C Trace Context of a caller.
 */

/** What a `traceparent` header says. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The caller's span, 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whether the caller keeps the trace. */
  readonly isSampled: boolean;
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;

/**
 * The header, or null where there is none or it is not as the recommendation has it: then the
 * trace begins here. (https://www.w3.org/TR/trace-context/#traceparent-header-field-values; of a
 * version not yet known the parts that are known are read, as it asks.)
 */
export function traceParentOf(header: string | null): TraceParent | null {
  if (header === null) return null;
  const [, version, traceId, spanId, flags, more] = FORM.exec(header) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined) return null;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags ?? "0", 16) & 1) === 1 };
}

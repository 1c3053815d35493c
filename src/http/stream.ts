/*
 * A body that is too large to be held whole, in the order that it comes: not more than the limit,
 * and never silent for long.
 */
import { SluiceError } from "../errors.ts";
import { inTime } from "../late.ts";
import { checkHead, cut, tooLarge } from "./body.ts";

/** What one import may hold. */
export const IMPORT_LIMIT = 256 * 1024 * 1024;
/** How long an import may take from its first byte to its answer. */
export const IMPORT_DEADLINE_MS = 10 * 60_000;
const SILENCE_MS = 10_000;

export interface StreamOptions {
  readonly limit?: number;
  readonly silenceMs?: number;
}

/**
 * The body's bytes as they come. Throws `body_too_large` (413), `slow_body` (408) when nothing
 * comes for `silenceMs`, `body_cut` (400); whoever stops early reads no more of it.
 */
export async function* streamOf(
  request: Request,
  { limit = IMPORT_LIMIT, silenceMs = SILENCE_MS }: StreamOptions = {},
): AsyncGenerator<Uint8Array> {
  checkHead(request, limit);
  if (request.body === null) return;
  const reader = request.body.getReader();
  let size = 0;
  try {
    for (;;) {
      const next = await inTime(reader.read().catch(cut), silenceMs, () => {
        throw silent(size, silenceMs);
      });
      if (next.done) return;
      size += next.value.byteLength;
      if (size > limit) throw tooLarge(limit);
      yield next.value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const silent = (size: number, silenceMs: number): SluiceError =>
  new SluiceError({
    code: "slow_body",
    status: 408,
    detail: `After ${size} bytes nothing came for ${silenceMs / 1000} s.`,
    fix: "Send the body without stopping.",
  });

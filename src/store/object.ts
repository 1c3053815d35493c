/*
 * What an object is called, and what can be wrong with one.
 */
import { reasonOf, SluiceError } from "../errors.ts";

export const sha256 = (bytes: Uint8Array | string): string =>
  new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** JavaScript's `$` means the very end, so nothing may follow a digest. */
export const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Where an object lies; `object_missing` for what is no digest. */
export const keyOf = (digest: string): string => {
  if (!isDigest(digest)) throw missing(digest);
  return `${digest.slice(0, 2)}/${digest}`;
};

const RESTORE = "Restore the object from a backup, or train again and promote the new version.";

export const missing = (digest: string): SluiceError =>
  new SluiceError({
    code: "object_missing",
    detail: `The object store has no object ${digest}.`,
    fix: RESTORE,
  });

/** `found` is the sha256 of what is there. */
export const corrupt = (digest: string, size: number, found: string): SluiceError =>
  new SluiceError({
    code: "object_corrupt",
    detail: `Object ${digest} holds ${size} bytes whose sha256 is ${found}.`,
    fix: RESTORE,
  });

export const unreachable = (thrown: unknown): SluiceError =>
  thrown instanceof SluiceError
    ? thrown
    : new SluiceError({
        code: "object_store_unreachable",
        status: 503,
        detail: `The object store does not answer: ${reasonOf(thrown)}.`,
        fix: "Check S3_ENDPOINT, S3_BUCKET and the keys, or the free space of SLUICE_DATA.",
        retryAfter: 5,
        cause: thrown,
      });

/** The bytes themselves where they are what the digest says. */
export function verified(digest: string, bytes: Uint8Array): Uint8Array {
  const found = sha256(bytes);
  if (found === digest) return bytes;
  throw corrupt(digest, bytes.length, found);
}

/**
 * The pieces of an object as they come, the last one only when all together have its sha256: what
 * is not whole never looks whole.
 */
export async function* checked(
  digest: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = new Bun.CryptoHasher("sha256");
  let held: Uint8Array | null = null;
  let size = 0;
  for await (const piece of pieces) {
    if (held !== null) yield held;
    hash.update(piece);
    size += piece.byteLength;
    held = piece;
  }
  const found = hash.digest("hex");
  if (found !== digest) throw corrupt(digest, size, found);
  if (held !== null) yield held;
}

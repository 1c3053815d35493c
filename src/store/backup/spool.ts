/*
 * Files that are written aside while a snapshot is open, so that it need not stay open for as long
 * as the slowest reader takes.
 */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";

/** A part whose bytes lie in a file. */
export interface Spooled {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly lines: number;
}

/** Writes lines to a file, each ended by a line feed, compressed. */
export async function spoolLines(
  path: string,
  lines: AsyncIterable<readonly string[]>,
): Promise<Spooled> {
  let count = 0;
  let size = 0;
  const hash = new Bun.CryptoHasher("sha256");
  async function* texts() {
    for await (const some of lines) {
      count += some.length;
      yield Buffer.from(`${some.join("\n")}\n`);
    }
  }
  async function* counted(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk);
      size += chunk.byteLength;
      yield chunk;
    }
  }
  await pipeline(
    Readable.from(texts()),
    createZstdCompress(),
    counted,
    createWriteStream(path, { flags: "wx", mode: 0o600 }),
  );
  return { path, size, sha256: hash.digest("hex"), lines: count };
}

/*
 * Bytes that come in pieces and may be many: they are written to a file aside while their sha256 is
 * made, and only then get a name. What breaks off leaves nothing.
 */
import {
  constants,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  rename,
  rm,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { unreachable } from "./object.ts";

/** An object that is whole, and not named yet. */
export interface Staged {
  readonly digest: string;
  readonly size: number;
  /** Names it by its digest; again names it anew, in case it is gone since. */
  keep(): Promise<void>;
  /** Lets go of what was written aside; the object that was named stays. */
  drop(): Promise<void>;
}

/** A whole file aside. */
export interface Spooled {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** A name that `removeAsides` knows for what a kill left. */
export const asidePath = (folder: string): string =>
  join(folder, "incoming", `file.${crypto.randomUUID()}`);

/** Writes pieces to a new file, on the disk when this resolves; throws what the pieces throw. */
export async function spool(folder: string, pieces: AsyncIterable<Uint8Array>): Promise<Spooled> {
  const path = asidePath(folder);
  const hash = new Bun.CryptoHasher("sha256");
  let size = 0;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    try {
      for await (const piece of pieces) {
        hash.update(piece);
        size += piece.byteLength;
        await writeAll(file, piece);
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (thrown) {
    await rm(path, { force: true }).catch(() => {});
    throw unreachable(thrown);
  }
  return { path, digest: hash.digest("hex"), size };
}

async function writeAll(file: Pick<FileHandle, "write">, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(at === 0 ? bytes : bytes.subarray(at));
    at += bytesWritten;
  }
}

/** The same file under a second name, which replaces what has it; the first name stays. */
export async function nameToo(path: string, name: string): Promise<void> {
  await mkdir(dirname(name), { recursive: true, mode: 0o700 });
  const aside = `${name}.${crypto.randomUUID()}`;
  try {
    // A file system without links has the bytes twice for a while.
    await link(path, aside).catch(() => copyFile(path, aside, constants.COPYFILE_FICLONE));
    await rename(aside, name);
  } finally {
    // Of two names of one file a rename leaves both.
    await rm(aside, { force: true }).catch(() => {});
  }
}

const PIECE_BYTES = 1024 * 1024;

/** The bytes of a file from one place to another, or to its end, in pieces. */
export async function* pieces(
  path: string,
  from = 0,
  to = Number.POSITIVE_INFINITY,
  most = PIECE_BYTES,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, "r");
  try {
    for (let at = from; at < to; ) {
      const piece = new Uint8Array(Math.min(most, to - at));
      const size = await fill(file, piece, at);
      if (size > 0) yield size === piece.byteLength ? piece : piece.subarray(0, size);
      if (size < piece.byteLength) return;
      at += size;
    }
  } finally {
    await file.close();
  }
}

/** Reads until the piece is full, or the file ends; how many bytes came. */
async function fill(
  file: Pick<FileHandle, "read">,
  piece: Uint8Array,
  from: number,
): Promise<number> {
  let size = 0;
  while (size < piece.byteLength) {
    const { bytesRead } = await file.read(piece, size, piece.byteLength - size, from + size);
    if (bytesRead === 0) break;
    size += bytesRead;
  }
  return size;
}

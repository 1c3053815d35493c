/*
 * Bytes under their sha256: a folder, or any S3 server. An object is there whole or not at all,
 * and what is read is what was written, or an error.
 */
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Client } from "minio";
import type { S3Config } from "../config.ts";
import { inTime, noAnswer } from "../late.ts";
import { checked, isDigest, keyOf, missing, sha256, unreachable, verified } from "./object.ts";
import { type Direct, s3Files } from "./s3-files.ts";
import { asidePath, nameToo, pieces, type Staged, spool } from "./staged.ts";

export interface Objects {
  /** Stores the bytes, reads them back, and returns their sha256 in hex. */
  put(bytes: Uint8Array): Promise<string>;
  /** The bytes under a digest; `object_missing` or `object_corrupt` otherwise. */
  get(digest: string): Promise<Uint8Array>;
  has(digest: string): Promise<boolean>;
  /** Removes an object; one that is not there is no error. */
  remove(digest: string): Promise<void>;
  list(): AsyncIterable<string>;
  /**
   * Takes bytes as they come, however many, holding but a piece of them. Nothing has a name before
   * `keep`, and what breaks off leaves nothing.
   */
  stage(chunks: AsyncIterable<Uint8Array>): Promise<Staged>;
  /** An object that is to be removed, so that it can come back; null where it is not there. */
  aside(digest: string): Promise<Staged | null>;
  /** How many bytes it has; `object_missing`. */
  size(digest: string): Promise<number>;
  /**
   * The bytes under a digest in pieces: `object_corrupt` before the last one where they are not
   * what was written. A range (`to` is the first byte behind it) cannot be checked so.
   */
  read(digest: string, range?: Range): AsyncGenerator<Uint8Array, void, undefined>;
  /** What clients may do with the store past this server, where it can be reached so. */
  readonly direct: Direct | null;
}

export interface Range {
  readonly from: number;
  readonly to: number;
}

export { isDigest, sha256 } from "./object.ts";

/** Objects as files below `folder`. */
export function folderObjects(folder: string): Objects {
  const pathOf = (digest: string) => join(folder, keyOf(digest));
  const failed = (digest: string) => (thrown: NodeJS.ErrnoException) => {
    throw thrown.code === "ENOENT" ? missing(digest) : unreachable(thrown);
  };
  const read = async (digest: string) => readFile(pathOf(digest)).catch(failed(digest));
  const stagedAt = (path: string, digest: string, size: number): Staged => ({
    ...{ digest, size },
    keep: () => nameToo(path, pathOf(digest)).catch(failed(digest)),
    drop: () => rm(path, { force: true }),
  });
  const size = async (digest: string) => (await stat(pathOf(digest)).catch(failed(digest))).size;
  const stage = async (chunks: AsyncIterable<Uint8Array>) => {
    const { path, digest, size } = await spool(folder, chunks);
    return stagedAt(path, digest, size);
  };
  async function* readPieces(digest: string, range?: Range) {
    try {
      const all = pieces(pathOf(digest), range?.from, range?.to);
      yield* range === undefined ? checked(digest, all) : all;
    } catch (thrown) {
      failed(digest)(thrown as NodeJS.ErrnoException);
    }
  }
  /** A second name of its file; where the disk has no such thing, a copy. */
  const linked = async (digest: string) => {
    const path = asidePath(folder);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await link(pathOf(digest), path);
    return stagedAt(path, digest, await size(digest));
  };
  return {
    aside: (digest) => linked(digest).catch(() => stage(readPieces(digest)).catch(() => null)),
    ...{ stage, size, read: readPieces, direct: null },
    put: async (bytes) => {
      const digest = sha256(bytes);
      await writeWhole(pathOf(digest), bytes).catch((thrown) => {
        throw unreachable(thrown);
      });
      return verified(digest, await read(digest)) && digest;
    },
    get: async (digest) => verified(digest, await read(digest)),
    has: async (digest) =>
      isDigest(digest) &&
      stat(pathOf(digest)).then(
        () => true,
        (thrown: NodeJS.ErrnoException) => {
          if (thrown.code === "ENOENT") return false;
          throw unreachable(thrown);
        },
      ),
    remove: async (digest) => {
      if (isDigest(digest)) await rm(pathOf(digest), { force: true });
    },
    list: async function* () {
      for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
        const digest = name.slice(3);
        if (isDigest(digest)) yield digest;
      }
    },
  };
}

/** Written aside, synced and renamed: the file is there whole or not at all. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
  const aside = `${path}.${crypto.randomUUID()}`;
  try {
    const file = await open(aside, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (thrown) {
    await rm(aside, { force: true }).catch(() => {});
    throw thrown;
  }
}

const DEADLINE_MS = 30_000;

function clientOf({ accessKey, secretKey, region }: S3Config, endpoint: string): Client {
  const url = new URL(endpoint);
  return new Client({
    endPoint: url.hostname,
    port: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    useSSL: url.protocol === "https:",
    ...{ accessKey, secretKey, region },
  });
}

/**
 * Objects in a bucket of an S3 server; the bucket is made when it is not there. What comes in
 * pieces is kept below `folder` until it is sent.
 */
export function s3Objects(config: S3Config, folder = join(tmpdir(), "sluice-objects")): Objects {
  const client = clientOf(config, config.endpoint);
  const { bucket } = config;
  let ready: Promise<void> | null = null;
  /** Does the work once the bucket is known to be there; any failure of it is ours to name. */
  const inBucket = async <T>(work: () => Promise<T>, deadlineMs?: number): Promise<T> => {
    ready ??= ensureBucket(client, bucket, config.region);
    try {
      await withDeadline(ready);
    } catch (thrown) {
      ready = null;
      throw unreachable(thrown);
    }
    return withDeadline(work(), deadlineMs).catch((thrown) => {
      // It was removed since: the next work makes it anew, as a start would.
      if (codeOf(thrown) === "NoSuchBucket") ready = null;
      throw isAbsent(thrown) ? thrown : unreachable(thrown);
    });
  };
  const read = (digest: string) =>
    inBucket(async () => {
      try {
        return await collected(await client.getObject(bucket, keyOf(digest)));
      } catch (thrown) {
        throw isAbsent(thrown) ? missing(digest) : thrown;
      }
    });
  const { publicEndpoint } = config;
  return {
    ...s3Files({
      ...{ client, bucket, inBucket, folder },
      signer: publicEndpoint === undefined ? client : clientOf(config, publicEndpoint),
      isPublic: publicEndpoint !== undefined,
    }),
    // A buffer of known size, never a stream: a stream that breaks would leave the call hanging.
    put: async (bytes) => {
      const digest = sha256(bytes);
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      await inBucket(() => client.putObject(bucket, keyOf(digest), buffer, buffer.length));
      return verified(digest, await read(digest)) && digest;
    },
    get: async (digest) => verified(digest, await read(digest)),
    has: async (digest) =>
      isDigest(digest) &&
      inBucket(() => client.statObject(bucket, keyOf(digest))).then(
        () => true,
        (thrown) => {
          if (isAbsent(thrown)) return false;
          throw thrown;
        },
      ),
    remove: async (digest) => {
      if (isDigest(digest)) await inBucket(() => client.removeObject(bucket, keyOf(digest)));
    },
    list: async function* () {
      await inBucket(async () => {});
      try {
        for await (const item of client.listObjectsV2(bucket, "", true)) {
          const digest = String(item.name ?? "").slice(3);
          if (isDigest(digest)) yield digest;
        }
      } catch (thrown) {
        throw unreachable(thrown);
      }
    },
  };
}

async function ensureBucket(client: Client, bucket: string, region: string): Promise<void> {
  if (await client.bucketExists(bucket)) return;
  await client.makeBucket(bucket, region).catch((thrown) => {
    // Another replica may have made it between the two calls.
    if (!/BucketAlready/.test(codeOf(thrown))) throw thrown;
  });
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A promise of the client may never settle when a connection dies, hence our own deadline. */
const withDeadline = <T>(work: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> =>
  inTime(work, deadlineMs, noAnswer(deadlineMs));

const codeOf = (thrown: unknown): string => String((thrown as { code?: unknown })?.code ?? "");
const isAbsent = (thrown: unknown): boolean => /NoSuchKey|NotFound/.test(codeOf(thrown));

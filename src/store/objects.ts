/*
 * Bytes under their sha256: a folder, or any S3 server. An object is there whole or not at all,
 * and what is read is what was written, or an error.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "minio";
import type { S3Config } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";

export interface Objects {
  /** Stores the bytes, reads them back, and returns their sha256 in hex. */
  put(bytes: Uint8Array): Promise<string>;
  /** The bytes under a digest; `object_missing` or `object_corrupt` otherwise. */
  get(digest: string): Promise<Uint8Array>;
  has(digest: string): Promise<boolean>;
  /** Removes an object; one that is not there is no error. */
  remove(digest: string): Promise<void>;
  list(): AsyncIterable<string>;
}

export const sha256 = (bytes: Uint8Array | string): string =>
  new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** JavaScript's `$` means the very end, so nothing may follow a digest. */
export const isDigest = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

const keyOf = (digest: string): string => {
  if (!isDigest(digest)) throw missing(digest);
  return `${digest.slice(0, 2)}/${digest}`;
};

/** Objects as files below `folder`. */
export function folderObjects(folder: string): Objects {
  const pathOf = (digest: string) => join(folder, keyOf(digest));
  const read = async (digest: string) =>
    readFile(pathOf(digest)).catch((thrown: NodeJS.ErrnoException) => {
      throw thrown.code === "ENOENT" ? missing(digest) : unreachable(thrown);
    });
  return {
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

/** Objects in a bucket of an S3 server; the bucket is made when it is not there. */
export function s3Objects(config: S3Config): Objects {
  const endpoint = new URL(config.endpoint);
  const client = new Client({
    endPoint: endpoint.hostname,
    port: Number(endpoint.port) || (endpoint.protocol === "https:" ? 443 : 80),
    useSSL: endpoint.protocol === "https:",
    accessKey: config.accessKey,
    secretKey: config.secretKey,
    region: config.region,
  });
  const { bucket } = config;
  let ready: Promise<void> | null = null;
  /** Does the work once the bucket is known to be there; any failure of it is ours to name. */
  const inBucket = async <T>(work: () => Promise<T>): Promise<T> => {
    ready ??= ensureBucket(client, bucket, config.region);
    try {
      await withDeadline(ready);
    } catch (thrown) {
      ready = null;
      throw unreachable(thrown);
    }
    return withDeadline(work()).catch((thrown) => {
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
  return {
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
async function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const codeOf = (thrown: unknown): string => String((thrown as { code?: unknown })?.code ?? "");
const isAbsent = (thrown: unknown): boolean => /NoSuchKey|NotFound/.test(codeOf(thrown));

function verified(digest: string, bytes: Uint8Array): Uint8Array {
  const found = sha256(bytes);
  if (found === digest) return bytes;
  throw new SluiceError({
    code: "object_corrupt",
    detail: `Object ${digest} holds ${bytes.length} bytes whose sha256 is ${found}.`,
    fix: "Restore the object from a backup, or train again and promote the new version.",
  });
}

const missing = (digest: string): SluiceError =>
  new SluiceError({
    code: "object_missing",
    detail: `The object store has no object ${digest}.`,
    fix: "Restore the object from a backup, or train again and promote the new version.",
  });

const unreachable = (thrown: unknown): SluiceError =>
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

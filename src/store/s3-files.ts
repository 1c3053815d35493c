/*
 * Objects of any size on an S3 server: written in parts, read in ranges, so that no more than a
 * part is held and each request has a deadline of its own. Clients may send parts to it, and fetch
 * from it, past this server, by addresses that are signed for a while.
 */
import { rm } from "node:fs/promises";
import type { Client } from "minio";
import { SluiceError } from "../errors.ts";
import type { RemovedFiles } from "./asides.ts";
import { checked, corrupt, keyOf, missing } from "./object.ts";
import { pieces, type Staged, spool } from "./staged.ts";

/** An upload that a client does in parts, past this server. */
export interface DirectUpload {
  readonly key: string;
  readonly uploadId: string;
}

export interface UploadedPart {
  readonly part: number;
  readonly etag: string;
}

/** What clients may do with the store themselves. */
export interface Direct {
  /** Whether the addresses are known to be those that clients reach. */
  readonly isPublic: boolean;
  begin(): Promise<DirectUpload>;
  /** Where a part (from 1) is to be put. */
  partUrl(upload: DirectUpload, part: number): Promise<string>;
  /**
   * Puts the parts together and reads them for their sha256; `invalid_parameter` (400) for parts
   * that are not as they were sent, `does_not_exist` (404) for no such upload.
   */
  finish(upload: DirectUpload, parts: readonly UploadedPart[]): Promise<Staged>;
  abort(upload: DirectUpload): Promise<void>;
  /** Where an object can be fetched from, for a day unless told otherwise. */
  url(digest: string, seconds?: number): Promise<string>;
  /** Removes uploads that nobody ended for so long. */
  removeOlder(ms: number): Promise<RemovedFiles>;
}

export type InBucket = <T>(work: () => Promise<T>, deadlineMs?: number) => Promise<T>;

export interface S3FilesDeps {
  readonly client: Client;
  /** Signs addresses for clients. */
  readonly signer: Client;
  readonly isPublic: boolean;
  readonly bucket: string;
  /** Runs work in the bucket that is there, with a deadline; names its failures. */
  readonly inBucket: InBucket;
  /** Where files are kept until they are sent. */
  readonly folder: string;
}

/** Up to here an object is sent at once. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS = 10_000;
const PART_MS = 5 * 60_000;
/** The server puts parts together, or copies, as long as it takes. */
const JOIN_MS = 30 * 60_000;
const RANGE_BYTES = 8 * 1024 * 1024;
/** What one request copies; servers take up to 5 GiB. */
const COPY_BYTES = 1024 ** 3;
/** How long an address is good for: an upload of 100 GiB takes hours. */
const SIGNED_S = 24 * 3600;
const INCOMING = "incoming/";

const codeOf = (thrown: unknown): string => {
  const { code, cause } = (thrown ?? {}) as { code?: unknown; cause?: unknown };
  // The bucket's guard wraps what the client threw.
  return thrown instanceof SluiceError && cause !== undefined ? codeOf(cause) : String(code ?? "");
};
const isAbsent = (thrown: unknown): boolean => /^(NoSuchKey|NotFound)$/.test(codeOf(thrown));

/** The part of a store in a bucket that deals in pieces. */
export function s3Files(deps: S3FilesDeps) {
  const { client, signer, bucket, inBucket, folder } = deps;

  async function sizeOf(key: string): Promise<number | null> {
    try {
      return (await inBucket(() => client.statObject(bucket, key))).size;
    } catch (thrown) {
      if (isAbsent(thrown)) return null;
      throw thrown;
    }
  }

  const size = async (digest: string): Promise<number> => {
    const found = await sizeOf(keyOf(digest));
    if (found === null) throw missing(digest);
    return found;
  };

  const rangeOf = (key: string, from: number, many: number): Promise<Buffer> =>
    inBucket(async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of await client.getPartialObject(bucket, key, from, many)) {
        chunks.push(chunk as Uint8Array);
      }
      const bytes = Buffer.concat(chunks);
      if (bytes.length === many) return bytes;
      throw new Error(`${bytes.length} of ${many} bytes came from ${from} on`);
    }, PART_MS);

  /** The bytes of a key, a range asked for while the one before is used. */
  async function* ranges(key: string, from: number, to: number) {
    const ask = (at: number): Promise<Buffer> | null => {
      if (at >= to) return null;
      const asked = rangeOf(key, at, Math.min(RANGE_BYTES, to - at));
      // Nobody may be there any more when it fails.
      asked.catch(() => {});
      return asked;
    };
    let next = ask(from);
    for (let at = from; next !== null; ) {
      const piece: Uint8Array = await next;
      at += piece.byteLength;
      next = ask(at);
      yield piece;
    }
  }

  async function* read(digest: string, range?: { from: number; to: number }) {
    const key = keyOf(digest);
    if (range === undefined) yield* checked(digest, ranges(key, 0, await size(digest)));
    else yield* ranges(key, range.from, range.to);
  }

  /** Does work on a new upload in parts, which is gone where that fails. */
  async function inParts(
    key: string,
    work: (uploadId: string) => Promise<UploadedPart[]>,
  ): Promise<void> {
    const uploadId = await inBucket(() => client.initiateNewMultipartUpload(bucket, key, {}));
    try {
      const parts = await work(uploadId);
      await inBucket(() => client.completeMultipartUpload(bucket, key, uploadId, parts), JOIN_MS);
    } catch (thrown) {
      await inBucket(() => client.abortMultipartUpload(bucket, key, uploadId)).catch(() => {});
      throw thrown;
    }
  }

  const sendPart = (key: string, uploadId: string, part: number, bytes: Buffer) =>
    inBucket(
      () =>
        client.uploadPart(
          {
            ...{ bucketName: bucket, objectName: key, uploadID: uploadId, partNumber: part },
            headers: { "Content-Length": bytes.length },
          },
          bytes,
        ),
      PART_MS,
    );

  async function send(path: string, key: string, size: number): Promise<void> {
    if (size <= PART_BYTES) {
      const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
      await inBucket(() => client.putObject(bucket, key, bytes, bytes.length), PART_MS);
    } else {
      const most = Math.max(PART_BYTES, Math.ceil(size / PARTS));
      await inParts(key, async (uploadId) => {
        const parts: UploadedPart[] = [];
        for await (const piece of pieces(path, 0, size, most)) {
          const part = parts.length + 1;
          const { etag } = await sendPart(key, uploadId, part, bufferOf(piece));
          parts.push({ part, etag });
        }
        return parts;
      });
    }
    const stored = await sizeOf(key);
    if (stored !== size) throw corrupt(key.slice(3), stored ?? 0, "unknown");
  }

  async function stage(chunks: AsyncIterable<Uint8Array>): Promise<Staged> {
    const { path, digest, size } = await spool(folder, chunks);
    return {
      ...{ digest, size },
      keep: () => send(path, keyOf(digest), size),
      drop: () => rm(path, { force: true }),
    };
  }

  const copyPart = (from: string, key: string, uploadId: string, part: number, range: string) =>
    inBucket(
      () =>
        client.uploadPart({
          ...{ bucketName: bucket, objectName: key, uploadID: uploadId, partNumber: part },
          headers: {
            "x-amz-copy-source": `/${bucket}/${from}`,
            "x-amz-copy-source-range": range,
          },
        }),
      JOIN_MS,
    );

  async function copy(from: string, key: string, size: number): Promise<void> {
    if (size <= COPY_BYTES) {
      await inBucket(() => client.copyObject(bucket, key, `/${bucket}/${from}`), JOIN_MS);
      return;
    }
    await inParts(key, async (uploadId) => {
      const parts: UploadedPart[] = [];
      for (let at = 0; at < size; at += COPY_BYTES) {
        const range = `bytes=${at}-${Math.min(at + COPY_BYTES, size) - 1}`;
        const part = parts.length + 1;
        const { etag } = await copyPart(from, key, uploadId, part, range);
        parts.push({ part, etag });
      }
      return parts;
    });
  }

  const direct: Direct = {
    isPublic: deps.isPublic,
    begin: async () => {
      const key = `${INCOMING}${crypto.randomUUID()}`;
      const begun = () => client.initiateNewMultipartUpload(bucket, key, {});
      return { key, uploadId: await inBucket(begun) };
    },
    partUrl: ({ key, uploadId }, part) =>
      signer.presignedUrl("PUT", bucket, key, SIGNED_S, { uploadId, partNumber: String(part) }),
    finish: async ({ key, uploadId }, parts) => {
      try {
        // Some servers want them in order.
        const list = parts.toSorted((a, b) => a.part - b.part);
        await inBucket(() => client.completeMultipartUpload(bucket, key, uploadId, list), JOIN_MS);
      } catch (thrown) {
        // Of an answer that was lost, the file is there.
        if (codeOf(thrown) !== "NoSuchUpload") throw refusedParts(thrown);
      }
      const size = await sizeOf(key);
      if (size === null) throw noUpload(uploadId);
      const hash = new Bun.CryptoHasher("sha256");
      for await (const piece of ranges(key, 0, size)) hash.update(piece);
      const digest = hash.digest("hex");
      return {
        ...{ digest, size },
        keep: () => copy(key, keyOf(digest), size),
        drop: () => inBucket(() => client.removeObject(bucket, key)),
      };
    },
    abort: async ({ key, uploadId }) => {
      await inBucket(() => client.abortMultipartUpload(bucket, key, uploadId)).catch((thrown) => {
        if (codeOf(thrown) !== "NoSuchUpload") throw thrown;
      });
      await inBucket(() => client.removeObject(bucket, key));
    },
    url: (digest, seconds = SIGNED_S) => signer.presignedGetObject(bucket, keyOf(digest), seconds),
    removeOlder: async (ms) => {
      const isOld = (time: Date | undefined) => time !== undefined && Date.now() - +time >= ms;
      let removed = 0;
      let bytes = 0;
      await inBucket(async () => {
        for await (const item of client.listIncompleteUploads(bucket, INCOMING, true)) {
          const { key, uploadId, initiated } = item as IncompleteItem;
          if (!isOld(new Date(initiated))) continue;
          await client.abortMultipartUpload(bucket, key, uploadId);
          removed++;
        }
        for await (const item of client.listObjectsV2(bucket, INCOMING, true)) {
          if (item.name === undefined || !isOld(item.lastModified)) continue;
          await client.removeObject(bucket, item.name);
          removed++;
          bytes += item.size;
        }
      }, JOIN_MS);
      return { removed, bytes };
    },
  };

  return {
    ...{ size, read, stage, direct },
    aside: async (digest: string): Promise<Staged | null> => stage(read(digest)).catch(() => null),
  };
}

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

interface IncompleteItem {
  readonly key: string;
  readonly uploadId: string;
  readonly initiated: string | Date;
}

/** The server's word on parts that do not fit together is the client's fault. */
const refusedParts = (thrown: unknown): unknown =>
  /^(InvalidPart|InvalidPartOrder|EntityTooSmall|MalformedXML|InvalidRequest)$/.test(codeOf(thrown))
    ? new SluiceError({
        code: "invalid_parameter",
        status: 400,
        detail: `The parts are not those that were sent: ${codeOf(thrown)}.`,
      })
    : thrown;

export const noUpload = (uploadId: string): SluiceError =>
  new SluiceError({
    code: "does_not_exist",
    status: 404,
    detail: `There is no upload ${JSON.stringify(uploadId.slice(0, 80))}.`,
  });

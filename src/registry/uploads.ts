/*
 * Uploads that a client does in parts, straight to the object store by addresses that are signed
 * for it, and downloads from there. Only where the store is an S3 server.
 */

import type { RemovedFiles } from "../store/asides.ts";
import type { Direct, UploadedPart } from "../store/s3-files.ts";
import { iso } from "../types.ts";
import type { Files, FilesDeps } from "./files.ts";
import { filePath } from "./paths.ts";
import { badParameter, doesNotExist, notSupported } from "./refusal.ts";

/** Clients know these sentences, and go through the proxy instead. */
const NO_UPLOAD = "Multipart upload is not supported for the current artifact repository";
const NO_DOWNLOAD = "Multipart download is not supported for the current artifact repository";

const PARTS = 10_000;
/** What nobody has ended for so long, in real time, is given up: the addresses last a day. */
const ABANDONED_MS = 25 * 3_600_000;

interface Upload {
  readonly path: string;
  readonly key: string;
  /** 0 once it is done: a client that lost the answer asks again. */
  readonly parts: number;
}

/** The SQL of uploads in parts. */
export function makeUploads({
  database,
  objects,
  files,
}: Omit<FilesDeps, "clock"> & { files: Files }) {
  const begun = database.prepared(`
    insert into uploads (upload_id, path, key, parts, created_at)
    values ($1::text, $2::text, $3::text, $4::int, $5::timestamptz)`);
  const known = database.prepared<Upload>(`
    select path, key, parts from uploads where upload_id = $1`);
  const done = database.prepared(`update uploads set parts = 0 where upload_id = $1`);
  const forget = database.prepared(`delete from uploads where upload_id = $1`);
  const forgetOlder = database.prepared<{ id: string }>(`
    delete from uploads where created_at < $1::timestamptz returning upload_id as id`);
  /** A client that waits no longer asks again: both wait for the same. */
  const finishing = new Map<string, Promise<void>>();

  const direct = (sentence: string): Direct => {
    if (objects.direct === null) throw notSupported(sentence);
    return objects.direct;
  };

  async function uploadOf(uploadId: string, path: string): Promise<Upload> {
    const [upload] = await known([uploadId]);
    if (upload !== undefined && upload.path === path) return upload;
    throw doesNotExist(`There is no upload '${uploadId.slice(0, 80)}' of '${path.slice(0, 200)}'.`);
  }

  async function finish(uploadId: string, path: string, parts: readonly UploadedPart[]) {
    const upload = await uploadOf(uploadId, path);
    if (upload.parts === 0) return;
    const spot = await files.spotOf(path);
    files.assertTakes(spot);
    const { key } = upload;
    await files.name(spot, await direct(NO_UPLOAD).finish({ key, uploadId }, parts));
    await done([uploadId]);
  }

  return {
    /** Whether clients may be told to go to the store themselves. */
    isPublic: (): boolean => objects.direct?.isPublic === true,

    /** Begins an upload; an address for each part. */
    begin: async (given: string, parts: number) => {
      const store = direct(NO_UPLOAD);
      const path = filePath(given);
      if (!Number.isInteger(parts) || parts < 1 || parts > PARTS) {
        throw badParameter(`num_parts must be between 1 and ${PARTS}. Got ${parts}.`);
      }
      files.assertTakes(await files.spotOf(path));
      const upload = await store.begin();
      try {
        await begun([upload.uploadId, path, upload.key, parts, iso(Date.now())]);
        const numbers = Array.from({ length: parts }, (_, i) => i + 1);
        const urls = await Promise.all(numbers.map((part) => store.partUrl(upload, part)));
        return { uploadId: upload.uploadId, urls };
      } catch (thrown) {
        await store.abort(upload).catch(() => {});
        throw thrown;
      }
    },

    /** Names what the parts are together; again, once it is done, changes nothing. */
    finish: (uploadId: string, given: string, parts: readonly UploadedPart[]): Promise<void> => {
      direct(NO_UPLOAD);
      const path = filePath(given);
      const under = finishing.get(uploadId);
      if (under !== undefined) return under;
      const work = finish(uploadId, path, parts).finally(() => finishing.delete(uploadId));
      finishing.set(uploadId, work);
      return work;
    },

    /** Gives an upload up; again changes nothing. */
    abort: async (uploadId: string, given: string): Promise<void> => {
      const store = direct(NO_UPLOAD);
      const [upload] = await known([uploadId]);
      if (upload === undefined || upload.parts === 0) return;
      const { key } = await uploadOf(uploadId, filePath(given));
      await store.abort({ key, uploadId });
      await forget([uploadId]);
    },

    /** Where a file can be fetched from, and its size; `does_not_exist` (404). */
    address: async (path: string) => {
      const store = direct(NO_DOWNLOAD);
      const { digest, size } = await files.file(path);
      return { url: await store.url(digest), size };
    },

    /** Where a file of a run can be fetched from, for so many seconds. */
    addressOfRun: async (runId: string, path: string, seconds?: number) => {
      const store = direct(NO_DOWNLOAD);
      const { digest, size } = await files.fileOfRun(runId, path);
      return { url: await store.url(digest, seconds), size };
    },

    /**
     * Refuses an upload by one address, for a run and path that would be right: nothing would tell
     * when its bytes are there, and a file is a row only once its sha256 is known.
     */
    refuseSingle: async (runId: string, path: string): Promise<never> => {
      await files.assertTakesOfRun(runId, path);
      throw badParameter(
        "Presigned uploads are not there for artifacts that are proxied, as all here are. PUT the " +
          "file below /api/2.0/mlflow-artifacts/artifacts, or upload it in parts (mpu/create).",
      );
    },

    /** Gives up what nobody has ended for a day. */
    removeAbandoned: async (): Promise<RemovedFiles> => {
      await forgetOlder([iso(Date.now() - ABANDONED_MS)]);
      return (await objects.direct?.removeOlder(ABANDONED_MS)) ?? { removed: 0, bytes: 0 };
    },
  };
}

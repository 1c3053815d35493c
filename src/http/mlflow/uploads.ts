/*
 * Uploads and downloads that go past this server, straight to the object store, by addresses that
 * are signed here.
 */

import { nameOf } from "../../registry/paths.ts";
import { badParameter } from "../../registry/refusal.ts";
import { count, list, message, needed, text } from "./message.ts";
import { type Rpc, rawRpc, rpc } from "./route.ts";

const MPU = "/api/2.0/mlflow-artifacts/mpu";
/** Parts of many gigabytes are put together and read once. */
const FINISH_MS = 6 * 3_600_000;

const track = { method: "POST", role: "track" } as const;

/** The file that is meant: the client tells a folder, and what the file is called on its disk. */
const fileIn = (folder: string, local: string): string => {
  const name = nameOf(local);
  if (name === "") throw badParameter("Invalid path");
  return `${folder}/${name}`;
};

/** What is needed is checked when it is used: a store that cannot do it says so first. */
const given = { path: text, folder: text, upload_id: text };

/** S3 signs for a week at most. */
const WEEK_S = 7 * 24 * 3_600;

function assertLasting(seconds: number | undefined): void {
  if (seconds === undefined || (seconds >= 1 && seconds <= WEEK_S)) return;
  throw badParameter(`expiration must be between 1 and ${WEEK_S} seconds. Got ${seconds}.`);
}

const must = (name: string, value: string | undefined): string => {
  if (value) return value;
  throw badParameter(`Missing value for required parameter '${name}'.`);
};

export const uploadRpcs: readonly Rpc[] = [
  rpc({
    ...{ ...track, path: `${MPU}/create/{folder+}` },
    takes: { ...given, num_parts: count },
    answer: async ({ folder = "", path, num_parts = 0 }, { mlflow }) => {
      const { uploadId, urls } = await mlflow.uploads.begin(
        fileIn(folder, must("path", path)),
        num_parts,
      );
      return {
        upload_id: uploadId,
        credentials: urls.map((url, i) => ({ url, part_number: i + 1, headers: {} })),
      };
    },
  }),
  rpc({
    ...{ ...track, path: `${MPU}/complete/{folder+}`, deadlineMs: FINISH_MS },
    takes: {
      ...given,
      parts: list(message({ part_number: needed(count), etag: needed(text), url: text })),
    },
    answer: async ({ folder = "", path, upload_id, parts }, { mlflow }) => {
      const numbered = parts.map(({ part_number, etag }) => ({
        part: part_number,
        etag: etag.replace(/^"|"$/g, ""),
      }));
      const file = fileIn(folder, must("path", path));
      await mlflow.uploads.finish(must("upload_id", upload_id), file, numbered);
      return {};
    },
  }),
  rpc({
    ...{ ...track, path: `${MPU}/abort/{folder+}` },
    takes: given,
    answer: async ({ folder = "", path, upload_id }, { mlflow }) => {
      const file = fileIn(folder, must("path", path));
      await mlflow.uploads.abort(must("upload_id", upload_id), file);
      return {};
    },
  }),
  rawRpc({
    method: "GET",
    path: "/api/2.0/mlflow-artifacts/presigned/{path+}",
    role: "read",
    answer: async ({ mlflow, params }) => {
      const { url, size } = await mlflow.uploads.address(params["path"]!);
      return { url, headers: {}, file_size: size };
    },
  }),
  rpc({
    ...{ method: "POST", role: "read", path: "artifacts/presigned-download-url" },
    takes: { run_id: needed(text), path: needed(text), expiration: count },
    answer: async ({ run_id, path, expiration }, { mlflow }) => {
      assertLasting(expiration);
      const { url, size } = await mlflow.uploads.addressOfRun(run_id, path, expiration);
      return { presigned_url: url, headers: {}, file_size: size };
    },
  }),
  rpc({
    ...{ ...track, path: "artifacts/presigned-upload-url" },
    takes: { run_id: needed(text), path: needed(text), expiration: count },
    answer: async ({ run_id, path, expiration }, { mlflow }) => {
      assertLasting(expiration);
      return mlflow.uploads.refuseSingle(run_id, path);
    },
  }),
];

/*
 * Files over the protocol: the proxy, whose paths are below one root, and files of runs, versions
 * and logged models. Bodies pass through in both directions, however large they are.
 */
import type { Entry } from "../../registry/files.ts";
import { filePath } from "../../registry/paths.ts";
import { badParameter } from "../../registry/refusal.ts";
import { streamOf } from "../stream.ts";
import { download } from "./download.ts";
import { needed, text } from "./message.ts";
import { type Rpc, type RpcCall, rawRpc, rpc } from "./route.ts";
import { some } from "./views.ts";

const PROXY = "/api/2.0/mlflow-artifacts/artifacts";
/** A body that goes on coming may take as long as it takes. */
const LONG_MS = 24 * 3_600_000;
/** How long a client may send nothing. */
const SILENCE_MS = 60_000;
/** What the browser's page may send at once. */
const UPLOAD_LIMIT = 10 * 1024 * 1024;

const long = { deadlineMs: LONG_MS } as const;
const attachment = { gives: "*/*", ...long } as const;

const bodyOf = ({ request }: RpcCall, limit = Number.POSITIVE_INFINITY) =>
  streamOf(request, { limit, silenceMs: SILENCE_MS });

/** A member of the query, or null. */
const asked = ({ request }: RpcCall, name: string): string | null =>
  new URL(request.url).searchParams.get(name);

/** A member of the query that must be there. */
function must(call: RpcCall, ...names: readonly string[]): string {
  for (const name of names) {
    const given = asked(call, name);
    if (given !== null && given !== "") return given;
  }
  throw badParameter(`Request must specify ${names.at(-1)}.`);
}

const entryView = (folder: string, { name, isFolder, size }: Entry) => ({
  path: folder === "" ? name : `${folder}/${name}`,
  is_dir: isFolder,
  file_size: isFolder ? undefined : size,
});

export const artifactRpcs: readonly Rpc[] = [
  rawRpc({
    ...{ method: "PUT", path: `${PROXY}/{path+}`, role: "track", ...long },
    answer: async (call) => {
      await call.mlflow.files.put(call.params["path"]!, bodyOf(call));
      return {};
    },
  }),
  rawRpc({
    ...{ method: "GET", path: `${PROXY}/{path+}`, role: "read", ...attachment },
    answer: async (call) => {
      const path = call.params["path"]!;
      return download(call, await call.mlflow.files.file(path), path);
    },
  }),
  rawRpc({
    ...{ method: "DELETE", path: `${PROXY}/{path+}`, role: "track" },
    answer: async ({ mlflow, params }) => {
      await mlflow.files.remove(params["path"]!);
      return {};
    },
  }),
  rpc({
    ...{ method: "GET", path: PROXY, role: "read" },
    takes: { path: text },
    answer: async ({ path = "" }, { mlflow }) => {
      const entries = await mlflow.files.entries(path);
      return { files: some(entries.map((entry) => entryView("", entry))) };
    },
  }),
  rpc({
    ...{ method: "GET", path: "artifacts/list", role: "read" },
    takes: { run_id: needed(text), path: text },
    answer: async ({ run_id, path: given = "" }, { mlflow }) => {
      const { root, path, entries } = await mlflow.files.entriesOfRun(run_id, given);
      return { root_uri: root, files: some(entries.map((entry) => entryView(path, entry))) };
    },
  }),
  rawRpc({
    ...{ method: "GET", path: "/get-artifact", role: "read", ...attachment },
    query: { run_id: text, run_uuid: text, path: needed(text) },
    answer: async (call) => {
      const runId = must(call, "run_id", "run_uuid");
      const path = must(call, "path");
      return download(call, await call.mlflow.files.fileOfRun(runId, path), path);
    },
  }),
  rawRpc({
    ...{ method: "GET", path: "/model-versions/get-artifact", role: "read", ...attachment },
    query: { name: needed(text), version: needed(text), path: needed(text) },
    answer: async (call) => {
      const name = must(call, "name");
      const version = must(call, "version");
      const path = must(call, "path");
      if (!/^\d{1,9}$/.test(version)) throw badParameter("version must be a whole number.");
      const file = await call.mlflow.files.fileOfVersion(name, Number(version), path);
      return download(call, file, path);
    },
  }),
  rpc({
    ...{ method: "GET", path: "logged-models/{model_id}/artifacts/directories", role: "read" },
    takes: { model_id: needed(text), artifact_directory_path: text },
    answer: async ({ model_id, artifact_directory_path: given = "" }, { mlflow }) => {
      const { root, path, entries } = await mlflow.files.entriesOfModel(model_id, given);
      return { root_uri: root, files: some(entries.map((entry) => entryView(path, entry))) };
    },
  }),
  rawRpc({
    method: "GET",
    path: "logged-models/{model_id}/artifacts/files",
    ...{ role: "read", ...attachment },
    query: { artifact_file_path: needed(text) },
    answer: async (call) => {
      const path = must(call, "artifact_file_path");
      const file = await call.mlflow.files.fileOfModel(call.params["model_id"]!, path);
      return download(call, file, path);
    },
  }),
  rawRpc({
    ...{ method: "POST", path: "upload-artifact", role: "track", ...long },
    query: { run_id: text, run_uuid: text, path: needed(text) },
    answer: async (call) => {
      const runId = must(call, "run_id", "run_uuid");
      const path = filePath(must(call, "path"));
      const { headers, body } = call.request;
      const length = headers.get("content-length");
      if (Number(length) > UPLOAD_LIMIT)
        throw badParameter("Artifact size is too large. Max size is 10MB.");
      if (length === "0" || (length === null && body === null)) {
        throw badParameter("Request must specify data.");
      }
      await call.mlflow.files.putOfRun(runId, path, bodyOf(call, UPLOAD_LIMIT));
      return {};
    },
  }),
];

/*
 * A file as an answer: in pieces as the client takes them, whole or a range of it.
 */
import { reasonOf, SluiceError } from "../../errors.ts";
import type { StoredFile } from "../../registry/files.ts";
import { nameOf } from "../../registry/paths.ts";
import { doesNotExist } from "../../registry/refusal.ts";
import type { Range } from "../../store/objects.ts";
import { longAnswer } from "../long.ts";
import { begun } from "../pieces.ts";
import type { RpcCall } from "./route.ts";

/** How long the client may take nothing of it. */
const SILENCE_MS = 60_000;

/** The file as an attachment; `does_not_exist` (404) where its bytes are lost. */
export async function download(
  { request, mlflow, services }: RpcCall,
  { digest, size }: StoredFile,
  path: string,
): Promise<Response> {
  const range = rangeOf(request.headers.get("range"), size);
  const name = nameOf(path);
  const headers: Record<string, string> = {
    "content-type": typeOf(name),
    "content-disposition": dispositionOf(name),
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
  };
  if (range === null) {
    headers["content-range"] = `bytes */${size}`;
    return new Response(null, { status: 416, headers });
  }
  const { from, to } = range ?? { from: 0, to: size };
  headers["content-length"] = String(to - from);
  if (range !== undefined) headers["content-range"] = `bytes ${from}-${to - 1}/${size}`;
  const status = range === undefined ? 200 : 206;
  if (request.method === "HEAD") return new Response(null, { status, headers });
  const pieces = await begun(mlflow.files.read(digest, range)).catch((thrown) => {
    throw isLost(thrown) ? doesNotExist(lost(path, digest)) : thrown;
  });
  return longAnswer(pieces, {
    ...{ status, headers, silenceMs: SILENCE_MS },
    farewell: (thrown) => {
      services.log.warn("download_failed", { path, digest, reason: reasonOf(thrown) });
      return null;
    },
  }).response;
}

const isLost = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && thrown.code === "object_missing";

const lost = (path: string, digest: string): string =>
  `The bytes of artifact '${path}' (sha256 ${digest}) are missing from the object store. Restore ` +
  "them from a backup, or log the artifact again.";

/**
 * The one range that is asked for; undefined for the whole (also where several are asked for, or
 * in other units), null where it begins behind the end.
 */
export function rangeOf(header: string | null, size: number): Range | null | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(header?.replaceAll(" ", "") ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const many = Math.min(Number(last), size);
    return many === 0 ? null : { from: size - many, to: size };
  }
  const from = Number(first);
  const to = last === "" ? size : Math.min(Number(last) + 1, size);
  if (from >= size) return null;
  return from < to ? { from, to } : undefined;
}

const TEXT = "text/plain";
const TYPES: Readonly<Record<string, string>> = {
  ...{ png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif" },
  ...{ svg: "image/svg+xml", webp: "image/webp", bmp: "image/bmp", ico: "image/x-icon" },
  ...{ pdf: "application/pdf", html: "text/html", htm: "text/html", zip: "application/zip" },
  ...{ gz: "application/gzip", tar: "application/x-tar", parquet: "application/octet-stream" },
  ...{ mp3: "audio/mpeg", wav: "audio/x-wav", mp4: "video/mp4", geojson: TEXT },
};
/** What people read as text, also where it has a type of its own. */
const TEXTS = new Set(
  (
    "txt log err cfg conf cnf cf ini properties prop hocon jsonnet jsonl json yaml yml xml toml " +
    "csv tsv md rst py js ts r scala sh sql ipynb"
  ).split(" "),
);
const TEXT_NAMES = new Set(["mlmodel", "mlproject"]);

/** The media type that goes with a name. */
export function typeOf(name: string): string {
  const lower = name.toLowerCase();
  const ending = lower.includes(".") ? lower.split(".").at(-1)! : lower;
  if (TEXTS.has(ending) || TEXT_NAMES.has(ending)) return TEXT;
  return TYPES[ending] ?? "application/octet-stream";
}

/** Plain where the name is plain, else in the form that every client knows. */
function dispositionOf(name: string): string {
  if (/^[\w.+-]+$/.test(name)) return `attachment; filename=${name}`;
  const ascii = name.replace(/[^\x20-\x7e]/g, "_").replace(/["\\]/g, "_");
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

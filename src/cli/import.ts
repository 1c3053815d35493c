/*
 * `sluice import`: rows of a table from CSV files, or from the addresses that the model file names.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { reasonOf } from "../errors.ts";
import { isMarket, readModels, type TableFile } from "../models.ts";
import type { ImportAnswer, ImportsAnswer } from "./answers.ts";
import { download } from "./download.ts";
import { usageError } from "./failure.ts";
import { numberText, renderTable } from "./format.ts";
import type { Io, JsonOption } from "./io.ts";
import { type Session, withSession } from "./session.ts";

export interface ImportOptions extends JsonOption {
  readonly part?: "train" | "test";
  readonly download?: boolean;
}

/** A file to be sent: under which name, and where its bytes are. */
interface Given {
  readonly name: string;
  readonly path: string;
}

const FILE_FIX = "Give CSV files, or --download to get those that the model file names.";
/** An import answers when its rows are stored. */
const ANSWER_MS = 600_000;

/** Imports files one after the other and prints what became of each. */
export async function importFiles(
  io: Io,
  model: string,
  files: readonly string[],
  options: ImportOptions,
): Promise<number> {
  if (files.length === 0 && options.download !== true) {
    throw usageError("There is no file to import.", FILE_FIX);
  }
  const given = files.map((path) => ({ name: basename(path).replace(/\.gz$/, ""), path }));
  // Looked at before connecting: a file that is not there needs no server to say so.
  for (const { path } of given) {
    const there = await Bun.file(path)
      .stat()
      .catch((thrown) => thrown as Error);
    if (there instanceof Error) throw unreadable(path, reasonOf(there));
    if (!there.isFile()) throw unreadable(path, "it is no file");
  }
  return withSession(io, async (session) => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-import-"));
    const answers: ImportAnswer[] = [];
    try {
      for (const file of given) answers.push(await sendFile(session, model, file, options));
      if (options.download === true) {
        for await (const file of downloaded(session, model, folder)) {
          answers.push(await sendFile(session, model, file, options));
        }
      }
    } catch (thrown) {
      // One file that failed does not hide what became of those before.
      if (answers.length > 0) await session.print(told(answers, options));
      throw thrown;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await session.print(told(answers, options));
    return 0;
  });
}

/** The files that the model file names, as they are got; those that stand already are left out. */
async function* downloaded(session: Session, model: string, folder: string): AsyncGenerator<Given> {
  const table = tableOf(session, model);
  const wanted = table.table.files.filter(({ url }) => url !== undefined);
  if (wanted.length === 0) {
    throw usageError(
      `The model file of ${model} names no address to download from.`,
      "Set url and sha256 in [[table.files]], or give files.",
    );
  }
  const path = `/v1/models/${encodeURIComponent(model)}/imports?limit=100`;
  const { items } = await session.call<ImportsAnswer>("GET", path);
  const stands = (sha256: string) =>
    items.some((item) => item.sha256 === sha256 && item.replaced_at === null && !item.outdated);
  for (const { name, url = "", sha256 = "" } of wanted) {
    if (stands(sha256)) {
      session.note(`${name}: these bytes are imported already.`);
      continue;
    }
    const key = `download ${name}`;
    const to = join(folder, name);
    await download({
      ...{ url, sha256, to },
      // Known only by what has come: shown as under way, never as done.
      onProgress: (bytes, of) =>
        session.update(key, 0.999 * (bytes / (of ?? 2 * bytes)), size(bytes)),
    });
    session.update(key, 1, "done");
    yield { name, path: to };
  }
}

function tableOf({ config }: Session, name: string): TableFile {
  const models = readModels(config.modelsFolder);
  const model = models.get(name);
  if (model !== undefined && !isMarket(model)) return model;
  const tables = [...models.values()].filter((other) => !isMarket(other)).map((t) => t.name);
  throw usageError(
    model === undefined ? `There is no model "${name}".` : `Model ${name} is no table.`,
    `Tables here: ${tables.join(", ") || "none"}.`,
  );
}

/** Sends one file to the server and returns what became of it. */
async function sendFile(
  session: Session,
  model: string,
  { name, path }: Given,
  { part }: ImportOptions,
): Promise<ImportAnswer> {
  const query = new URLSearchParams({ name, ...(part === undefined ? {} : { part }) });
  const route = `/admin/models/${encodeURIComponent(model)}/imports?${query}`;
  const key = `import ${name}`;
  const of = Bun.file(path).size;
  const zipped = await isGzip(path);
  let fault: unknown = null;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    let done = 0;
    const counted = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        done += chunk.byteLength;
        // All sent is not all stored: the answer says when it is done.
        session.update(key, 0.95 * (done / Math.max(of, done)), size(done));
        controller.enqueue(chunk);
      },
    });
    const read = Bun.file(path).stream().pipeThrough(counted);
    try {
      yield* zipped ? read.pipeThrough(gunzip()) : read;
    } catch (thrown) {
      fault = thrown;
      throw thrown;
    }
  }
  const stream = () => {
    const parts = bytes();
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await parts.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => void parts.return(undefined),
    });
  };
  const init = { contentType: "text/csv", stream, answerMs: ANSWER_MS };
  try {
    const answer = await session.call<ImportAnswer>("POST", route, undefined, init);
    session.update(key, 1, "done");
    return answer;
  } catch (thrown) {
    // What was wrong with the file looks like a broken connection from there.
    throw fault === null ? thrown : unreadable(path, reasonOf(fault));
  }
}

/** As the types of Bun and of the web differ in what a chunk is. */
const gunzip = () =>
  new DecompressionStream("gzip") as unknown as TransformStream<Uint8Array, Uint8Array>;

/** Whether a file begins as gzip does (RFC 1952). */
async function isGzip(path: string): Promise<boolean> {
  const [a, b] = await Bun.file(path).slice(0, 2).bytes();
  return a === 0x1f && b === 0x8b;
}

const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

const told = (answers: readonly ImportAnswer[], { json }: ImportOptions): string =>
  json ? JSON.stringify({ items: answers }) : importedText(answers);

function importedText(answers: readonly ImportAnswer[]): string {
  const right = (title: string) => ({ title, align: "right" as const });
  const table = renderTable(
    [
      { title: "file" },
      { title: "part" },
      ...["rows", "stored", "refused", "comments", "blank"].map(right),
      { title: "what became of it" },
    ],
    answers.map(({ file, part, report, unchanged, replaced }) => [
      file,
      part,
      ...[report.rows, report.stored, report.refused, report.comment_lines, report.blank_lines].map(
        (n) => numberText(n, 15),
      ),
      unchanged
        ? "unchanged: the same bytes stood already"
        : replaced === null
          ? "stored"
          : `stored in place of import ${replaced}`,
    ]),
    "Nothing new to import.",
  );
  const refusals = answers.flatMap(({ file, report }) =>
    report.refusals.flatMap(({ reason, count, samples }) =>
      samples
        .slice(0, 3)
        .map(({ line, column, message }, i) => [
          file,
          i === 0 ? reason : "",
          i === 0 ? String(count) : "",
          String(line),
          column ?? "",
          message,
        ]),
    ),
  );
  if (refusals.length === 0) return table;
  const columns = ["file", "refused for", "rows", "line", "column", "why"];
  return `${table}\n\n${renderTable(
    columns.map((title) => ({ title })),
    refusals,
  )}`;
}

const unreadable = (path: string, reason: string) =>
  usageError(`The file "${path}" cannot be read: ${reason}.`, FILE_FIX);

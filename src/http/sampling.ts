/*
 * A share of the predict requests kept with their answers, to look at what models are really
 * asked. Off unless asked for: rows may be about people. They are written in the background as
 * JSON lines, into files of which the oldest go; what cannot be kept up with is dropped.
 */
import { appendFile, mkdir, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Arrival } from "./arrival.ts";
import { mediaType } from "./body.ts";
import type { SampleOutcome } from "./metrics.ts";

/** A request that was answered. */
export interface Sample {
  readonly at: number;
  readonly requestId: string;
  readonly route: string;
  readonly model?: string | undefined;
  readonly version?: number | undefined;
  readonly rows?: number | undefined;
  /** Its body: JSON text, or text of another kind. */
  readonly input: Uint8Array;
  readonly isJson: boolean;
  /** What it was answered: JSON text. */
  readonly answer: string;
}

export interface Sampling {
  /** Whether a request is one of those to be kept; drawn anew at each call. */
  draws(): boolean;
  /** Keeps it, some time soon, or drops it. */
  keep(sample: Sample): void;
  /** Writes what is waiting. */
  stop(): Promise<void>;
}

export interface SamplingOptions {
  readonly folder: string;
  /** Of all requests, 0 to 1. */
  readonly share: number;
  /** Of all files together, at most. */
  readonly bytes: number;
  readonly log: Log;
  onSample(outcome: SampleOutcome): void;
  readonly random?: () => number;
  /** How long lines are gathered before they are written. */
  readonly everyMs?: number;
}

const ONE_MOST = 1_000_000;
const WAITING_MOST = 4_000_000;
const EVERY_MS = 250;
/** The share of the whole that one file has. */
const FILES = 8;
const NAME = /^predict-[\w.-]+\.jsonl$/;

/** Begins to keep requests in the folder, which is made when the first is written. */
export function makeSampling(options: SamplingOptions): Sampling {
  const { folder, share, bytes: most, log, onSample, random = Math.random } = options;
  const fileMost = Math.ceil(most / FILES);
  let waiting: Sample[] = [];
  let waitingBytes = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let writing: Promise<void> = Promise.resolve();
  let file: { path: string; bytes: number } | null = null;
  let files = 0;
  let troubled = false;

  function begin(): void {
    timer = null;
    const batch = waiting;
    waiting = [];
    writing = writing.then(() => write(batch));
  }

  async function write(batch: readonly Sample[]): Promise<void> {
    // What is being written still counts as waiting: a slow disk must not gather more and more.
    for (const sample of batch) {
      try {
        await append(lineOf(sample));
        onSample("kept");
        troubled = false;
      } catch (thrown) {
        onSample("failed");
        if (!troubled) log.warn("samples_not_written", { reason: reasonOf(thrown) });
        troubled = true;
      }
      waitingBytes -= sizeOf(sample);
    }
  }

  async function append(line: string): Promise<void> {
    const size = Buffer.byteLength(line);
    if (file === null || file.bytes + size > fileMost) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await makeRoom(folder, most - fileMost);
      const at = new Date().toISOString().replaceAll(":", "");
      file = { path: join(folder, `predict-${at}-${process.pid}-${files++}.jsonl`), bytes: 0 };
    }
    file.bytes += size;
    await appendFile(file.path, line, { mode: 0o600 });
  }

  return {
    draws: () => random() < share,
    keep: (sample) => {
      const size = sizeOf(sample);
      const dropped = size > Math.min(ONE_MOST, fileMost) ? "too_large" : null;
      if (dropped !== null || waitingBytes + size > WAITING_MOST) {
        onSample(dropped ?? "behind");
        return;
      }
      waiting.push(sample);
      waitingBytes += size;
      timer ??= setTimeout(begin, options.everyMs ?? EVERY_MS);
    },
    stop: async () => {
      if (timer !== null) clearTimeout(timer);
      begin();
      await writing;
    },
  };
}

const OVERHEAD = 400;
/** What a sample takes, roughly: its texts and what is told beside them. */
const sizeOf = ({ input, answer }: Sample): number => input.length + answer.length + OVERHEAD;

function lineOf(sample: Sample): string {
  const { at, requestId, route, model, version, rows, input, isJson, answer } = sample;
  const text = new TextDecoder().decode(input);
  const told = { request_id: requestId, route, model, version, rows };
  const head = JSON.stringify({ time: new Date(at).toISOString(), ...told }).slice(0, -1);
  const body = isJson ? inOneLine(text) : JSON.stringify(text);
  return `${head},"input":${body},"answer":${inOneLine(answer)}}\n`;
}

/** JSON without line feeds: outside its strings they are white space, inside they cannot be. */
const inOneLine = (json: string): string => json.replace(/[\r\n]+/g, " ");

/** Removes the oldest files until no more than that is left. */
async function makeRoom(folder: string, most: number): Promise<void> {
  // Names begin with their time, so that the oldest is first.
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  const sizes = await Promise.all(names.map((name) => sizeAt(join(folder, name))));
  let total = sizes.reduce((sum, size) => sum + size, 0);
  for (const [i, name] of names.entries()) {
    if (total <= most) return;
    await unlink(join(folder, name)).catch(() => {});
    total -= sizes[i]!;
  }
}

/** 0 where it has gone meanwhile. */
const sizeAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/**
 * Keeps a request that was answered, where body and answer are text; nobody waits for it. Streams
 * of rows are not kept, nor tensors as bytes.
 */
export async function keepSample(
  sampling: Sampling,
  { request, requestId, route, served, rows, text }: Arrival,
  body: Promise<Uint8Array>,
  response: Response,
): Promise<void> {
  const isWanted = /^application\/json\b/.test(response.headers.get("content-type") ?? "");
  if (!isWanted || request.headers.has("inference-header-content-length")) return;
  const copied = text ?? response.clone().text();
  const isJson = mediaType(request) !== "text/csv";
  const told = { model: served?.model, version: served?.version, rows: rows ?? undefined };
  const texts = await Promise.all([body, copied]).catch(() => null);
  if (texts === null) return;
  const [input, answer] = texts;
  sampling.keep({ at: Date.now(), requestId, route, ...told, input, isJson, answer });
}

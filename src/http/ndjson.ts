/*
 * Newline-delimited JSON both ways: a row a line in, an answer a line out, in the same order. What
 * is held is a piece of the rows, however many come: who reads slowly is read from slowly.
 */
import { SluiceError } from "../errors.ts";
import { inTime } from "../late.ts";
import { turn } from "../turn.ts";
import { type LongAnswer, type LongAnswerOptions, longAnswer } from "./long.ts";
import { makeLineSplitter } from "./ndjson-lines.ts";
import { makeTidy } from "./ndjson-memory.ts";
import { type AnswerRows, errorLine, lineValue } from "./ndjson-rows.ts";
import { asTold } from "./problem.ts";
import { streamOf } from "./stream.ts";

/** The media types of such bodies. */
export const LINE_TYPES = ["application/x-ndjson", "application/jsonl"] as const;
/** Whether a body of this media type is lines of JSON. */
export const isLines = (type: string): boolean => LINE_TYPES.some((known) => known === type);
/** What one body may hold. */
export const LINES_LIMIT = 4 * 1024 ** 3;
/** How long one may take, from its first byte to its last answer. */
export const LINES_DEADLINE_MS = 30 * 60_000;
/** How long a client may neither send nor read. */
export const LINES_SILENCE_MS = 60_000;
/** Rows answered together: some milliseconds in which no other request has its turn. */
const CHUNK = 256;
/** Rows that have come wait for more of them no longer than this. */
const PAUSE_MS = 10;

export interface LineOptions {
  readonly answer: AnswerRows;
  /** What an error that nobody foresaw is told with. */
  readonly requestId: string;
  /** Told of what ends the answers early. */
  onError?(thrown: unknown): void;
  readonly chunk?: number;
  readonly limit?: number;
  readonly deadlineMs?: number;
  readonly silenceMs?: number;
}

/**
 * The answers to the lines of a body, some at a time, each ended by a line feed. Never throws: the
 * last line tells of what ended them early.
 */
export async function* answerLines(
  request: Request,
  options: LineOptions,
): AsyncGenerator<string, void, undefined> {
  const { answer, requestId, deadlineMs = LINES_DEADLINE_MS } = options;
  const until = performance.now() + deadlineMs;
  const id = Bun.randomUUIDv7();
  let row = 0;
  const tidy = makeTidy();
  try {
    for await (const lines of piecesOf(request, options, until)) {
      const values = lines.map(lineValue);
      const rows = values.filter((value) => !(value instanceof SluiceError));
      const answers = await inTurn(() => answer(rows), until);
      let [text, at] = ["", 0];
      for (const value of values) {
        const one = value instanceof SluiceError ? value : answers[at++]!;
        text += `${one instanceof SluiceError ? errorLine(one, row) : told(one, `${id}-${row}`)}\n`;
        row++;
      }
      yield text;
      tidy(lines.length);
      // Also where nothing had to be waited for, other requests have their turn.
      await turn();
    }
  } catch (thrown) {
    options.onError?.(thrown);
    yield `${errorLine(asTold(thrown, requestId), null)}\n`;
  }
}

/** The answer, asked for again while there is too much to do just now. */
async function inTurn<Result>(ask: () => Promise<Result>, until: number): Promise<Result> {
  for (;;) {
    try {
      return await ask();
    } catch (thrown) {
      const seconds = thrown instanceof SluiceError ? thrown.retryAfter : null;
      if (seconds === null || performance.now() + seconds * 1_000 > until) throw thrown;
      await Bun.sleep(seconds * 1_000);
    }
  }
}

/** A prediction under the id that it has in the stream; it is nobody else's, so none is copied. */
function told(prediction: { id?: string }, id: string): string {
  prediction.id = id;
  return JSON.stringify(prediction);
}

/** The texts as the body of an answer; its last line tells of what ended it early. */
export const lineAnswer = (
  texts: AsyncGenerator<string, void, undefined>,
  options: Omit<LongAnswerOptions, "farewell">,
): LongAnswer =>
  longAnswer(encoded(texts), {
    ...options,
    farewell: (thrown) => encoder.encode(`${errorLine(asTold(thrown, ""), null)}\n`),
  });

const encoder = new TextEncoder();

async function* encoded(texts: AsyncGenerator<string, void, undefined>) {
  for await (const text of texts) yield encoder.encode(text);
}

/**
 * The lines of a body that are not empty, in pieces of `chunk`, or of fewer before a pause and at
 * the end. Throws what `streamOf` and the splitter do, after the lines before that, and
 * `deadline_exceeded` (503), also where bytes come one by one and never make a line.
 */
async function* piecesOf(
  request: Request,
  { chunk = CHUNK, limit = LINES_LIMIT, silenceMs = LINES_SILENCE_MS }: LineOptions,
  until: number,
): AsyncGenerator<readonly string[], void, undefined> {
  const lines: string[] = [];
  const splitter = makeLineSplitter((line) => {
    if (line.trim() !== "") lines.push(line);
  });
  const source = streamOf(request, { limit, silenceMs });
  let coming = source.next();
  try {
    for (;;) {
      const next = lines.length === 0 ? await coming : await beforePause(coming);
      if (next !== PAUSE) {
        if (next.done === true) splitter.end();
        else splitter.push(next.value);
      }
      const least = next === PAUSE || next.done === true ? 1 : chunk;
      while (lines.length >= least) {
        assertInTime(until);
        yield lines.splice(0, chunk);
      }
      if (next !== PAUSE && next.done === true) return;
      assertInTime(until);
      if (next !== PAUSE) coming = source.next();
    }
  } catch (thrown) {
    while (lines.length > 0 && performance.now() < until) yield lines.splice(0, chunk);
    throw thrown;
  } finally {
    // Nobody is left to hear of what is wrong with the rest.
    coming.catch(() => {});
    source.return(undefined).catch(() => {});
  }
}

const PAUSE = Symbol("pause");

/** What comes, or `PAUSE` when it has not come soon. */
const beforePause = <Result>(coming: Promise<Result>): Promise<Result | typeof PAUSE> =>
  inTime(coming, PAUSE_MS, () => PAUSE);

/** Throws `deadline_exceeded` (503) when the time is over. */
function assertInTime(until: number): void {
  if (performance.now() < until) return;
  throw new SluiceError({
    code: "deadline_exceeded",
    status: 503,
    detail: "The time that a stream of rows may take is over.",
    fix: "Send the rows that have no answer in a request of their own.",
  });
}

/*
 * An answer that is made while it is read: no more of it is made than the client takes.
 */
import { SluiceError } from "../errors.ts";
import { errorLine } from "./ndjson-rows.ts";

/** An answer that goes on after its handler has returned. */
export interface LongAnswer {
  readonly response: Response;
  /** Resolves when nothing more is made of it: it is whole, or nobody wants the rest. */
  readonly ended: Promise<void>;
  /** Ends it with a line that tells of the error. */
  stop(error: SluiceError): void;
}

export interface LongAnswerOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** How long the client may take nothing of it. */
  readonly silenceMs: number;
}

const known = new WeakMap<Response, LongAnswer>();

/** The long answer that a response is the beginning of, or null. */
export const longOf = (response: Response): LongAnswer | null => known.get(response) ?? null;

/** The texts as the body of an answer, which stops where the client takes nothing for long. */
export function longAnswer(
  texts: AsyncGenerator<string, void, undefined>,
  { headers, silenceMs }: LongAnswerOptions,
): LongAnswer {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const encoder = new TextEncoder();
  let body: ReadableStreamDefaultController<Uint8Array>;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    const done = () => resolve();
    texts.return().then(done, done);
  };
  const stop = (error: SluiceError): void => {
    if (isOver) return;
    body.enqueue(encoder.encode(`${errorLine(error, null)}\n`));
    body.close();
    end();
  };
  const watch = (): void => {
    timer = setTimeout(() => stop(slowReader(silenceMs)), silenceMs);
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        body = controller;
        watch();
      },
      pull: async () => {
        clearTimeout(timer);
        const next = await texts.next();
        if (isOver) return;
        if (next.done === true) {
          body.close();
          end();
          return;
        }
        body.enqueue(encoder.encode(next.value));
        watch();
      },
      cancel: end,
    },
    // Nothing is made in advance.
    { highWaterMark: 0 },
  );
  const answer: LongAnswer = { response: new Response(stream, { headers }), ended, stop };
  return keepLong(answer);
}

/** Lets `longOf` know of an answer. */
export function keepLong(answer: LongAnswer): LongAnswer {
  known.set(answer.response, answer);
  return answer;
}

const slowReader = (silenceMs: number): SluiceError =>
  new SluiceError({
    code: "slow_reader",
    status: 408,
    detail: `Nothing of the answer was taken for ${silenceMs / 1000} s.`,
    fix: "Read the answer while you send the rows; send those again that have no answer.",
  });

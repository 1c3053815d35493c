/*
 * An answer that is made while it is read: no more of it is made than the client takes.
 */
import { SluiceError } from "../errors.ts";

/** An answer that goes on after its handler has returned. */
export interface LongAnswer {
  readonly response: Response;
  /** Resolves when nothing more is made of it: it is whole, or nobody wants the rest. */
  readonly ended: Promise<void>;
  /** Ends it early. */
  stop(error: SluiceError): void;
}

export interface LongAnswerOptions {
  /** 200 where nothing is said. */
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  /** How long the client may take nothing of it. */
  readonly silenceMs: number;
  /**
   * The last piece of an answer that ends early, which tells why; null where its form has no room
   * for that, and it breaks off: a client knows by the connection that it is not whole.
   */
  readonly farewell: (thrown: unknown) => Uint8Array | null;
}

const known = new WeakMap<Response, LongAnswer>();

/** The long answer that a response is the beginning of, or null. */
export const longOf = (response: Response): LongAnswer | null => known.get(response) ?? null;

/** The pieces as the body of an answer, which ends where the client takes nothing for long. */
export function longAnswer(
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
  { status = 200, headers, silenceMs, farewell }: LongAnswerOptions,
): LongAnswer {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let body: ReadableStreamDefaultController<Uint8Array>;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    const done = () => resolve();
    pieces.return().then(done, done);
  };
  const stop = (thrown: unknown): void => {
    if (isOver) return;
    const last = farewell(thrown);
    if (last === null) body.error(thrown);
    else {
      body.enqueue(last);
      body.close();
    }
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
        try {
          const next = await pieces.next();
          if (isOver) return;
          if (next.done === true) {
            body.close();
            end();
            return;
          }
          body.enqueue(next.value);
          watch();
        } catch (thrown) {
          stop(thrown);
        }
      },
      cancel: () => {
        if (!isOver) end();
      },
    },
    // Nothing is made in advance.
    { highWaterMark: 0 },
  );
  const answer: LongAnswer = { response: new Response(stream, { status, headers }), ended, stop };
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

/*
 * An answer of bytes that are made while they are read. It cannot tell of an error once it has
 * begun, so it breaks off: a client knows by the connection that it is not whole.
 */
import { reasonOf } from "../errors.ts";
import { keepLong, type LongAnswer, type LongAnswerOptions } from "./ndjson-response.ts";

export interface ByteAnswerOptions extends LongAnswerOptions {
  /** Told why it broke off. */
  onError(reason: string): void;
}

/** The bytes as the body of an answer, which breaks off where the client takes nothing for long. */
export function byteAnswer(
  bytes: AsyncGenerator<Uint8Array, void, undefined>,
  { headers, silenceMs, onError }: ByteAnswerOptions,
): LongAnswer {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let body: ReadableStreamDefaultController<Uint8Array>;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    clearTimeout(timer);
    const done = () => resolve();
    bytes.return().then(done, done);
  };
  const breakOff = (thrown: unknown): void => {
    if (isOver) return;
    onError(reasonOf(thrown));
    body.error(thrown);
    end();
  };
  const watch = (): void => {
    timer = setTimeout(
      () => breakOff(new Error(`nothing of it was taken for ${silenceMs / 1000} s`)),
      silenceMs,
    );
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
          const next = await bytes.next();
          if (isOver) return;
          if (next.done === true) {
            body.close();
            end();
            return;
          }
          body.enqueue(next.value);
          watch();
        } catch (thrown) {
          breakOff(thrown);
        }
      },
      cancel: () => {
        if (!isOver) end();
      },
    },
    { highWaterMark: 0 },
  );
  return keepLong({ response: new Response(stream, { headers }), ended, stop: breakOff });
}

/*
 * One connection of HTTP/1.1 that stays open, and asks one thing at a time: as little work as can
 * be, since it shares the machine with the server that it measures.
 */

/** The body of a 2xx, or in words what was wrong. */
type Answer = Buffer | string;

export interface Connection {
  /** Sends bytes that are a whole request; the one before must have been answered. */
  ask(request: Buffer, answered: (answer: Answer) => void): void;
  end(): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING: Buffer = Buffer.alloc(0);

/** Opens a connection; one that was closed is opened anew by the next request. */
export async function openConnection({ hostname, port }: URL): Promise<Connection> {
  let socket: Bun.Socket | null = null;
  let waiting: ((answer: Answer) => void) | null = null;
  let held = NOTHING;
  let unsent = NOTHING;

  const settle = (answer: Answer) => {
    const answered = waiting;
    waiting = null;
    held = NOTHING;
    answered?.(answer);
  };
  const lose = (reason: string) => {
    socket = null;
    settle(reason);
  };
  const write = (bytes: Buffer) => {
    const written = socket?.write(bytes) ?? 0;
    unsent = written < bytes.length ? bytes.subarray(Math.max(0, written)) : NOTHING;
  };
  const open = async () => {
    socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, chunk) => {
          held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
          const answer = answerIn(held);
          if (answer !== null) settle(answer);
        },
        drain: () => {
          if (unsent.length > 0) write(unsent);
        },
        close: () => lose("the connection was closed before the answer"),
        error: (_, error) => lose(`the connection failed: ${error.message}`),
      },
    });
    socket.setNoDelay(true);
  };
  await open();
  return {
    ask: (request, answered) => {
      waiting = answered;
      if (socket !== null) return write(request);
      open().then(
        () => write(request),
        (thrown) => lose(`no connection: ${thrown}`),
      );
    },
    end: () => {
      waiting = null;
      socket?.end();
    },
  };
}

/** The answer, once it is whole. */
function answerIn(bytes: Buffer): Answer | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString("latin1", 0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) return `an answer without Content-Length: ${head.slice(0, 200)}`;
  const end = headEnd + HEAD_END.length + Number(length);
  if (bytes.length < end) return null;
  const body = bytes.subarray(headEnd + HEAD_END.length, end);
  return head.startsWith("HTTP/1.1 2") ? body : `${head.slice(9, 12)}: ${body.toString()}`;
}

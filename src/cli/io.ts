/*
 * What the command line has of the world: its environment and three streams. Commands get it as a
 * value, so that tests can run them in process.
 */

/** Where notes, errors and the progress line go. */
export interface ErrorStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Io {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a terminal: decides the form of the log. */
  readonly terminal: boolean;
  readonly errors: ErrorStream;
  /** Writes to standard output, adding the end of the line; resolves when it is out. */
  print(text: string): Promise<void>;
  /** The text of a file, or of standard input for `-`. */
  read(path: string): Promise<string>;
}

/** What every command is given by the parser besides its own options. */
export interface JsonOption {
  readonly json?: boolean;
}

/** The streams and the environment of this process. */
export function processIo(): Io {
  // A reader that went away (`sluice runs | head -1`) is told by the write's own callback.
  process.stdout.on("error", () => {});
  return {
    environment: process.env,
    terminal: process.stdout.isTTY === true,
    errors: process.stderr,
    print: (text) => printLine(process.stdout, text),
    read: (path) => (path === "-" ? Bun.stdin.text() : Bun.file(path).text()),
  };
}

/** Writes a line; a closed pipe is no failure, as nobody wants the rest. */
export function printLine(
  stream: { write(text: string, done: (fault?: Error | null) => void): unknown },
  text: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text.endsWith("\n") ? text : `${text}\n`, (fault) => {
      if (fault && (fault as NodeJS.ErrnoException).code !== "EPIPE") reject(fault);
      else resolve();
    });
  });
}

/*
 * Bytes as lines of text, as they come: what is held is the beginning of one line.
 */
import { SluiceError } from "../errors.ts";
import { textOf } from "./body.ts";

/** A line's length at most, in bytes: a row of some thousand columns. */
const LINE_LIMIT = 1024 * 1024;

const NEWLINE = 10;

/**
 * Takes bytes as they come and gives the lines that they complete, without their line feeds. Both
 * throw `line_too_long` (413) and `bad_encoding` (400); lines before that have been given.
 */
export interface LineSplitter {
  push(bytes: Uint8Array): void;
  /** The last line, where no line feed ends it. */
  end(): void;
}

/** A splitter that gives each line to `onLine`. */
export function makeLineSplitter(onLine: (line: string) => void, limit = LINE_LIMIT): LineSplitter {
  /** The pieces of a line whose end has not come yet. */
  let held: Uint8Array[] = [];
  let size = 0;

  const hold = (bytes: Uint8Array): void => {
    if (bytes.length === 0) return;
    size += bytes.length;
    if (size > limit) throw tooLong(limit);
    held.push(bytes);
  };
  const letGo = (): Uint8Array => {
    const whole = Buffer.concat(held);
    held = [];
    size = 0;
    return whole;
  };
  const give = (bytes: Uint8Array): void => {
    for (const line of linesOf(bytes)) {
      // In units of UTF-16, of which none is more than three bytes: near enough for a bound.
      if (line.length > limit) throw tooLong(limit);
      onLine(line);
    }
  };

  return {
    push: (bytes) => {
      const last = bytes.lastIndexOf(NEWLINE);
      if (last === -1) return hold(bytes);
      let from = 0;
      if (size > 0) {
        const first = bytes.indexOf(NEWLINE);
        hold(bytes.subarray(0, first));
        give(letGo());
        from = first + 1;
      }
      if (from <= last) give(bytes.subarray(from, last));
      // A copy: a piece of a line would keep all of the bytes that it came with.
      hold(bytes.slice(last + 1));
    },
    end: () => {
      if (size > 0) give(letGo());
    },
  };
}

/** Lines of whole bytes; where not all is text, one by one up to the one that is not. */
function linesOf(bytes: Uint8Array): Iterable<string> {
  try {
    return textOf(bytes).split("\n");
  } catch {
    return eachOf(bytes);
  }
}

function* eachOf(bytes: Uint8Array): Generator<string> {
  for (let from = 0; from <= bytes.length; ) {
    const at = bytes.indexOf(NEWLINE, from);
    const to = at === -1 ? bytes.length : at;
    yield textOf(bytes.subarray(from, to));
    from = to + 1;
  }
}

const tooLong = (limit: number): SluiceError =>
  new SluiceError({
    code: "line_too_long",
    status: 413,
    detail: `A line of the body is longer than ${limit} bytes.`,
    fix: "Write one row a line, each ended by a line feed.",
  });

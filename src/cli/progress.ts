/*
 * The progress of long work. On a terminal one line, redrawn in place, with a bar for each piece
 * of work under way; elsewhere a line at each quarter, or nothing.
 */
import { plain } from "./format.ts";
import type { ErrorStream } from "./io.ts";

export interface Progress {
  /** `key` names the work (`btc collect`); a share of 1 ends it; `text` says where it is. */
  update(key: string, share: number, text: string): void;
  /** Writes something else to the same terminal: the line gives way and comes back below. */
  beside(write: () => void): void;
  /** Takes the line away. */
  done(): void;
}

export interface ProgressOptions {
  /** What to do where there is no terminal: a line at each quarter, or nothing (the default). */
  readonly lines?: boolean;
  readonly now?: () => number;
}

/** At most ten redraws a second: more is flicker, and slow over a remote shell. */
const REDRAW_MS = 100;
const BAR_WIDTH = 10;
/** For a terminal that does not know its width, or says 0. */
const USUAL_COLUMNS = 80;
const CLEAR = "\r\u001b[K";

interface Work {
  share: number;
  text: string;
  /** Quarters that have been told as lines. */
  told: number;
}

/** A progress display on a stream, usually standard error. */
export function makeProgress(stream: ErrorStream, options: ProgressOptions = {}): Progress {
  const now = options.now ?? (() => performance.now());
  const works = new Map<string, Work>();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let shown = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const clear = () => {
    if (shown) stream.write(CLEAR);
    shown = false;
  };
  const draw = () => {
    timer = null;
    drawnAt = now();
    if (works.size === 0) return clear();
    stream.write(CLEAR + lineOf(works, stream.columns || USUAL_COLUMNS));
    shown = true;
  };
  const drawSoon = () => {
    const wait = drawnAt + REDRAW_MS - now();
    if (wait <= 0) {
      if (timer !== null) clearTimeout(timer);
      draw();
    } else if (timer === null) {
      timer = setTimeout(draw, wait);
      // A line that waits to be drawn must not keep a process alive that has ended its work.
      timer.unref();
    }
  };
  const tellQuarter = (key: string, work: Work) => {
    const quarter = Math.floor(work.share * 4);
    if (quarter <= work.told) return;
    work.told = quarter;
    stream.write(`${[key, percent(work.share), work.text].join(" ").trimEnd()}\n`);
  };

  return {
    update: (key, share, text) => {
      const work = works.get(key) ?? { share: 0, text: "", told: 0 };
      work.share = Math.min(1, Math.max(0, share || 0));
      work.text = plain(text);
      works.set(key, work);
      if (stream.isTTY !== true && options.lines === true) tellQuarter(key, work);
      if (work.share === 1) works.delete(key);
      if (stream.isTTY === true) drawSoon();
    },
    beside: (write) => {
      const again = shown;
      clear();
      write();
      if (again) draw();
    },
    done: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      works.clear();
      clear();
    },
  };
}

/** All bars side by side, cut to the width of the terminal so that the line never wraps. */
function lineOf(works: ReadonlyMap<string, Work>, columns: number): string {
  const parts = [...works].map(([key, { share, text }]) =>
    [key, bar(share), percent(share), text].join(" ").trimEnd(),
  );
  return cut(parts.join("  "), columns - 1);
}

const bar = (share: number): string => {
  const full = Math.floor(share * BAR_WIDTH);
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
};

// Floored: 100 % is said when the work has ended, not a moment before.
const percent = (share: number): string => `${Math.floor(share * 100)} %`;

function cut(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  const letters = [...text];
  while (letters.length > 0 && Bun.stringWidth(letters.join("")) > width - 1) letters.pop();
  return `${letters.join("")}…`;
}

/*
 * Values as people read them: a table, a time, a number with as many digits as mean something.
 */

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const GAP = "  ";

/** An aligned table with a head line, one line a row; no row, no table but the `empty` text. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  empty = "none",
): string {
  if (rows.length === 0) return empty;
  const lines = [columns.map((column) => column.title), ...rows.map((row) => row.map(plain))];
  const widths = columns.map((_, i) =>
    Math.max(...lines.map((line) => Bun.stringWidth(line[i] ?? ""))),
  );
  return lines.map((line) => tableLine(line, columns, widths)).join("\n");
}

function tableLine(
  cells: readonly string[],
  columns: readonly Column[],
  widths: readonly number[],
): string {
  const padded = columns.map(({ align }, i) => {
    const cell = cells[i] ?? "";
    const space = " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell));
    return align === "right" ? space + cell : cell + space;
  });
  return padded.join(GAP).trimEnd();
}

/** `name   value` lines, the names padded to one width. */
export function renderFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}${GAP}${plain(value)}`).join("\n");
}

/** ISO 8601 UTC to the second, from an instant or another ISO text; `-` when there is none. */
export function timeText(time: number | string | null | undefined): string {
  if (time === null || time === undefined) return "-";
  const date = new Date(time);
  // What is no time is shown as it came rather than hidden.
  if (Number.isNaN(date.getTime())) return String(time);
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** A number to `digits` significant digits, in groups of three; `-` when there is none. */
export function numberText(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits });
}

/** A length of time in milliseconds: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 07 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/**
 * The text without control characters: what came from outside (a name, an exchange's answer) must
 * not move the cursor of the terminal it is shown on.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
export const plain = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");

/*
 * Rows to predict as CSV (RFC 4180) with a header: the columns in any order, an empty cell where
 * a number is missing. Number("") is 0 and Number("0x10") is 16, so numbers have a form of their
 * own here.
 */
import { assertRowCount, MAX_ROWS, makeFaults, type Rows } from "./instances.ts";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The rows of a CSV text; 422 with every fault by line and column, 413 above the cap. */
export function rowsOfCsv(text: string, columns: readonly string[]): Rows {
  const faults = makeFaults();
  // A header, the rows, one too many, and the end: what lies behind is not looked at.
  const lines = text.split(/\r\n|\n|\r/, MAX_ROWS + 3);
  // The line break at the end of the last line; an empty line before it is a row without cells.
  if (lines.at(-1) === "") lines.pop();
  const long = lines.findIndex((line) => line.length > MOST_LINE);
  if (long !== -1) faults.add(`line ${long + 1}`, `is longer than ${MOST_LINE} characters`);
  faults.throwIfAny();
  const header = cellsOf(lines[0] ?? "") ?? [];
  const places = columns.map((name) => header.indexOf(name));
  for (const [c, name] of columns.entries()) {
    if (places[c] === -1) faults.add(`line 1: ${name}`, "is missing in the header");
  }
  for (const [at, name] of header.entries()) {
    if (!columns.includes(name)) faults.add(`line 1: ${name}`, "is no column of the model");
    else if (header.indexOf(name) !== at) faults.add(`line 1: ${name}`, "is named twice");
  }
  if (lines.length < 2) faults.add("line 2", "expected at least one row under the header");
  faults.throwIfAny();
  const rows = lines.length - 1;
  assertRowCount(rows);
  const features = new Float32Array(rows * columns.length);
  for (let row = 0; row < rows; row++) {
    const line = `line ${row + 2}`;
    const cells = cellsOf(lines[row + 1]!);
    if (cells === null) faults.add(line, "a quotation mark stands where none may");
    else if (cells.length !== header.length) {
      faults.add(line, `expected ${header.length} cells, found ${cells.length}`);
    } else {
      for (const [c, name] of columns.entries()) {
        const value = numberOf(cells[places[c]!]!);
        if (value === null) faults.add(`${line}: ${name}`, EXPECTED);
        else features[row * columns.length + c] = value;
      }
    }
  }
  faults.throwIfAny();
  return { features, rows };
}

/** Many times what the columns of a market take. */
const MOST_LINE = 1 << 16;
const EXPECTED = "expected a finite number within 2^53, or nothing";

/** The number that a cell holds, NaN for an empty one, null for anything else. */
function numberOf(cell: string): number | null {
  if (cell === "") return Number.NaN;
  const value = NUMBER.test(cell) ? Number(cell) : Number.NaN;
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : null;
}

const CELL = /(?:"((?:[^"]|"")*)"|([^",]*))(?:,|$)/y;

/** The cells of one line, without the quotation marks and spaces around them; null when torn. */
function cellsOf(line: string): string[] | null {
  if (!line.includes('"')) return line.split(",").map((cell) => cell.trim());
  const cells: string[] = [];
  CELL.lastIndex = 0;
  for (;;) {
    const match = CELL.exec(line);
    if (match === null) return null;
    cells.push((match[1]?.replaceAll('""', '"') ?? match[2] ?? "").trim());
    if (!match[0].endsWith(",")) return cells;
  }
}

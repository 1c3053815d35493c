/*
 * Tables for tests: a small one, and one of another shape than the built-in model's, with 40 mixed
 * columns, 200 levels and 30 % missing.
 */
import { makeRandom } from "../learn/random.ts";
import { parseModel, type TableFile } from "../models.ts";

/** A model file of a table; `columns` and what follows the target are TOML. */
export const tableModel = (columns: string, more = "", table = ""): TableFile =>
  parseModel(
    "small.toml",
    `name = "small"
kind = "table"
[table]
${table}
${columns}
${more.includes("[table.target]") ? "" : '[table.target]\ncolumn = "y"\nkind = "binary"\npositive = "yes"\nnegative = "no"'}
${more}
${more.includes("[train]") ? "" : '[train]\ntrainers = ["gbdt"]'}`,
  ) as TableFile;

/** A column of a model file. */
export const column = (name: string, type: string, more = ""): string =>
  `[[table.columns]]\nname = "${name}"\ntype = "${type}"\n${more}\n`;

/** Columns `age` (0 to 120), `city`, and the target `y`. */
export const SMALL = `${column("age", "number", "min = 0\nmax = 120")}${column("city", "category")}${column("y", "category")}`;

/** A source of bytes in pieces, as a body comes. */
export async function* pieces(text: string | Uint8Array, size = 1_000): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const WIDE_COLUMNS = 40;
const WIDE_LEVELS = 200;

/** The wide table: 20 numbers, 20 categories, three classes, weights, semicolons, decimal commas. */
export const WIDE = `name = "wide"
kind = "table"
[table]
delimiter = ";"
decimal = ","
missing = ["n/a"]
${Array.from({ length: WIDE_COLUMNS }, (_, i) =>
  column(`c${i}`, i % 2 === 0 ? "number" : "category"),
).join("")}${column("kind", "category")}${column("weight", "number")}
[table.target]
column = "kind"
kind = "multiclass"
classes = ["red", "green", "blue"]
labels = { R = "red" }
[table.weight]
column = "weight"
[train]
trainers = ["gbdt"]
[train.gbdt]
rounds = 25
leaves = 8
[evaluate]
test = "split"
`;

export const wideModel = (): TableFile => parseModel("wide.toml", WIDE) as TableFile;

/**
 * Rows of the wide table as CSV, with a header of another order than the model file's, delimiters
 * within quotes, CRLF. The class follows from c0 and c1, and one row in twenty is red by chance.
 */
export function wideCsv(rows: number, seed = 7): string {
  const random = makeRandom(seed);
  const features = Array.from({ length: WIDE_COLUMNS }, (_, i) => `c${WIDE_COLUMNS - 1 - i}`);
  const lines = [["weight", ...features, "kind"].join(";")];
  for (let row = 0; row < rows; row++) {
    const values = features.map(() =>
      random.next() < 0.3 ? null : random.integer(100 * WIDE_LEVELS) / 100,
    );
    const cells = values.map((value, i) => {
      if (value === null) return random.next() < 0.5 ? "" : "n/a";
      const isNumber = Number(features[i]!.slice(1)) % 2 === 0;
      return isNumber ? (value - 50).toFixed(3).replace(".", ",") : `"level; ${Math.floor(value)}"`;
    });
    const [level, number] = [values.at(-2) ?? 0, values.at(-1) ?? 0];
    const kind = number > 130 || random.next() < 0.05 ? "R" : level < 100 ? "green" : "blue";
    const weight = (0.5 + random.next()).toFixed(2).replace(".", ",");
    lines.push([weight, ...cells, kind].join(";"));
  }
  return `${lines.join("\r\n")}\r\n`;
}

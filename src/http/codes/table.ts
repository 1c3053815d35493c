/*
 * Codes of tables: their files, their rows, and getting them.
 */
import type { CodeRows } from "./row.ts";

export const tableCodes: CodeRows = {
  already_imported: [
    "Already imported",
    "The same bytes stand under another name; their rows would count twice.",
    "Import them under the name that `fix` tells, which replaces what stands.",
  ],
  bad_csv: [
    "No CSV",
    "From some line on it is not certain which cell a character belongs to, or it is not UTF-8.",
    'Correct the line that is named; where quotation marks mean nothing, set `table.quote` to "".',
  ],
  bad_header: [
    "Header not accepted",
    "The first line lacks columns of the model file, names one twice, or names unknown ones.",
    "Name every column once. A file without a header needs `header = false`.",
  ],
  digest_mismatch: [
    "Other bytes than promised",
    "A download has another sha256 than the model file says. Nothing was stored.",
    "Find out what has changed; set the new sha256 only if the new bytes are right.",
  ],
  download_failed: [
    "Download failed",
    "The server of the file did not answer with the whole of it, in the size and time allowed.",
    "Try again, or get the file otherwise and import it by its name.",
  ],
  download_redirected: [
    "Download leads elsewhere",
    "The address of a file leads to another host, or from https to http; it was not followed.",
    "Name the address that has the file.",
  ],
  empty_table: [
    "No rows",
    "The file has a header or comments at most.",
    "Send a file with at least one row.",
  ],
  import_outdated: [
    "Imported otherwise",
    "The model file's [table] has changed since the rows were read.",
    "Import the files again; `fix` names them.",
  ],
  no_forecast: [
    "No forecast of a table",
    "A table model answers about rows; it has no next candle.",
    "Ask its predict route about rows.",
  ],
  not_a_table: [
    "Not a table",
    "The model is of a market: its candles are collected, not imported.",
    "Name a table model.",
  ],
  not_imported: [
    "Nothing imported",
    "No rows to learn from were imported for the model yet.",
    "Import them: `sluice import MODEL FILE`.",
  ],
  table_checks_failed: [
    "Checks failed",
    "The rows of a table have something wrong with them that the model file says must not be.",
    "Mend the rows and import them again, or let `[checks]` only warn of it.",
  ],
  too_few_rows: [
    "Too few rows",
    "No row is left to learn from, or none to judge by.",
    "Import more rows, or let `evaluate.test` draw those that judge.",
  ],
  too_many_refused: [
    "Too many rows refused",
    "More rows than `table.max_refused` allows are not as the model file says. Nothing was stored.",
    "Mend the file, or what the model file says of its columns; `faults` lists lines and columns.",
  ],
  unknown_label: [
    "Label not known",
    "Rows have labels of the target that are none of its classes.",
    "Map them in `table.target.labels`, or mend the rows, and import again.",
  ],
  unknown_part: [
    "Part not known",
    "The model file does not say whether a file of that name is to learn from or to test on.",
    "Say `--part train` or `--part test`, or name the file in [[table.files]].",
  ],
};

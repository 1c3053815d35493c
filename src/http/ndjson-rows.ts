/*
 * What comes of the rows of a stream: they are checked and answered together, and those that are
 * faulty each alone.
 */
import { SluiceError } from "../errors.ts";
import { invalid } from "./body.ts";

/** A prediction, or what is wrong with the row. */
export type RowAnswer = object | SluiceError;

/** Answers values, one for one. What it throws is no row's fault. */
export type AnswerRows = (values: readonly unknown[]) => Promise<readonly RowAnswer[]>;

/** How rows are answered that fail or not by themselves, by what answers or refuses all of them. */
export function rowAnswers(
  answer: (instances: readonly unknown[]) => readonly object[] | Promise<readonly object[]>,
): AnswerRows {
  const answersOf: AnswerRows = async (values) => {
    if (values.length === 0) return [];
    try {
      return await answer(values);
    } catch (thrown) {
      if (!(thrown instanceof SluiceError && OF_ROWS.has(thrown.code))) throw thrown;
      if (values.length === 1) return [thrown];
      const named = rowsOf(thrown);
      return named.size > 0 ? without(values, named) : inHalves(values);
    }
  };
  /** The named rows each alone, the others together. */
  const without = async (values: readonly unknown[], named: ReadonlySet<number>) => {
    const others = await answersOf(values.filter((_, row) => !named.has(row)));
    const answers: RowAnswer[] = [];
    let at = 0;
    for (const [row, value] of values.entries()) {
      answers.push(named.has(row) ? (await answersOf([value]))[0]! : others[at++]!);
    }
    return answers;
  };
  const inHalves = async (values: readonly unknown[]) => {
    const half = values.length >> 1;
    const first = await answersOf(values.slice(0, half));
    return [...first, ...(await answersOf(values.slice(half)))];
  };
  return answersOf;
}

/** The rows that faults such as `instances[3].age` are of. */
function rowsOf({ faults }: SluiceError): ReadonlySet<number> {
  const rows = new Set<number>();
  for (const { path } of faults) {
    const row = /^instances\[(\d+)\]/.exec(path)?.[1];
    if (row !== undefined) rows.add(Number(row));
  }
  return rows;
}

/** What a row may cause; of anything else the same would come of every row. */
const OF_ROWS = new Set(["invalid_instances", "non_finite_output"]);

/** The value of a line, or `bad_json`. */
export function lineValue(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (thrown) {
    return badLine(thrown);
  }
}

const badLine = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "bad_json",
    status: 400,
    detail: `The line is no JSON: ${(cause as Error).message.replace(/^JSON Parse error: /, "")}.`,
    fix: "Write one JSON object a line.",
    cause,
  });

/** The line that tells of an error: of a row, or of all that would have come after it. */
export function errorLine(error: SluiceError, row: number | null): string {
  if (row === null) {
    const { code, message: detail, fix } = error;
    return JSON.stringify({ error: { code, detail, fix } });
  }
  const { code, message, faults } = error.code === "invalid_instances" ? ofRow(error) : error;
  const listed = faults.length === 0 ? {} : { faults };
  return JSON.stringify({ row, error: { code, detail: message, ...listed } });
}

/** The faults of the only one of `instances`, as those of a row. */
const ofRow = ({ code, faults }: SluiceError): SluiceError =>
  invalid(
    code,
    "The row",
    faults.map(({ path, message }) => ({
      path: path.replace(/^instances\[0\]\.?/, ""),
      message,
    })),
  );

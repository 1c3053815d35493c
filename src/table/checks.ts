/*
 * Checks before learning: what is wrong with the rows of a table that no model would tell of.
 */
import type { Column } from "../learn/types.ts";
import type { ChecksSection } from "../models/table-judge.ts";
import { stabilityIndex } from "./drift.ts";
import { thinned } from "./groups.ts";
import { toldBy } from "./leak.ts";
import type { LoadedTable } from "./rows.ts";

/** The checks by name; the model file says of each whether it fails a training or only warns. */
export const CHECKS = [
  "one_class",
  "rare_class",
  "all_missing",
  "constant",
  "identifier",
  "leak",
  "duplicates",
  "overlap",
  "drift",
  "unseen_levels",
  "refused",
] as const;

export type CheckName = (typeof CHECKS)[number];

export interface TableCheck {
  readonly name: CheckName;
  readonly verdict: "pass" | "warn" | "fail" | "off";
  readonly detail: string;
  /** The columns at fault. */
  readonly columns: readonly string[];
}

/** What a check found: nothing (it passes, with what it saw), or what is wrong. */
interface Finding {
  readonly wrong: boolean;
  readonly detail: string;
  readonly columns?: readonly string[];
}

/** Looking at more rows than these would tell the same. */
const MOST_ROWS = 20_000;

/** Every check of a table's rows, in the order of CHECKS. Pure: the same rows, the same verdicts. */
export function checkTable(table: LoadedTable, checks: ChecksSection): TableCheck[] {
  const all = Int32Array.from(table.part, (_, row) => row);
  const rows: Parts = {
    train: all.filter((row) => table.part[row] === 0),
    test: all.filter((row) => table.part[row] === 1),
  };
  return CHECKS.map((name) => {
    if (checks[name] === "off")
      return { name, verdict: "off", detail: "Not looked at.", columns: [] };
    const { wrong, detail, columns = [] } = finders[name](table, rows, checks);
    return { name, verdict: wrong ? checks[name] : "pass", detail, columns };
  });
}

interface Parts {
  readonly train: Int32Array;
  readonly test: Int32Array;
}

type Find = (table: LoadedTable, rows: Parts, checks: ChecksSection) => Finding;

const finders: Readonly<Record<CheckName, Find>> = {
  one_class: ({ target, classes }, { train }) => {
    const first = target[train[0] ?? -1];
    if (first === undefined) return { wrong: true, detail: "There are no rows to learn from." };
    if (train.some((row) => target[row] !== first)) {
      return { wrong: false, detail: "The target has more than one value." };
    }
    const value = classes[first] ?? first;
    return { wrong: true, detail: `All ${train.length} rows to learn from have ${value}.` };
  },
  rare_class: ({ target, classes }, { train }, { min_class_rows }) => {
    const counts = new Float64Array(classes.length);
    if (classes.length > 0) for (const row of train) counts[target[row]!]! += 1;
    const rare = classes.filter((_, i) => counts[i]! < min_class_rows);
    const told = rare.map((name) => `${name} ${counts[classes.indexOf(name)]}`);
    return rare.length === 0
      ? { wrong: false, detail: `Each class has ${min_class_rows} rows to learn from or more.` }
      : { wrong: true, detail: `Few rows to learn from: ${few(told)}; wanted ${min_class_rows}.` };
  },
  all_missing: (table, { train }) => {
    const columns = named(table, (column) => train.every((row) => isMissing(column, row)));
    return found(columns, "nothing but missing values");
  },
  constant: (table, { train }) => {
    const columns = named(table, (column) => isConstant(column, train));
    return found(columns, "one value in every row");
  },
  identifier: (table, { train }) => {
    const columns = named(table, (column) => isIdentifier(column, train));
    return found(columns, "a value of its own in nearly every row, as an id has");
  },
  leak: (table, { train }, { max_auc_alone }) => {
    const rows = thinned(train, MOST_ROWS);
    const told = { target: table.target, classes: table.classes.length };
    const leaks = table.frame.columns
      .map((column) => ({ name: column.name, share: toldBy(column, rows, told) ?? 0 }))
      .filter(({ share }) => share > max_auc_alone);
    const measure = table.classes.length > 0 ? "AUC alone" : "share of variance alone";
    return {
      wrong: leaks.length > 0,
      columns: leaks.map(({ name }) => name),
      detail:
        leaks.length === 0
          ? `No column tells the target alone (${measure} at most ${max_auc_alone}).`
          : `${few(leaks.map(({ name, share }) => `${name} (${measure} ${share.toFixed(4)})`))}: the target under another name?`,
    };
  },
  duplicates: ({ identity }, { train }, { max_duplicates }) => {
    const known = new Set<bigint>();
    for (const row of train) known.add(identity[row]!);
    return share(
      train.length - known.size,
      train.length,
      max_duplicates,
      (n) => `${n} rows to learn from are like an earlier one in every cell`,
    );
  },
  overlap: ({ identity }, { train, test }, { max_overlap }) => {
    const known = new Set<bigint>();
    for (const row of train) known.add(identity[row]!);
    const twins = test.filter((row) => known.has(identity[row]!)).length;
    return share(
      twins,
      test.length,
      max_overlap,
      (n) => `${n} rows to be tested on are also among those to learn from`,
    );
  },
  drift: (table, { train, test }, { max_drift }) => {
    if (test.length === 0) return { wrong: false, detail: NO_TEST };
    const [from, to] = [thinned(train, MOST_ROWS), thinned(test, MOST_ROWS)];
    const indices = [...table.frame.columns, targetColumn(table)].map((column) => ({
      name: column.name,
      index: stabilityIndex(column, from, to),
    }));
    const moved = indices.filter(({ index }) => index > max_drift);
    const most = indices.reduce((a, b) => (b.index > a.index ? b : a));
    return {
      wrong: moved.length > 0,
      columns: moved.map(({ name }) => name),
      detail:
        moved.length === 0
          ? `Most in ${most.name}: stability index ${most.index.toFixed(3)}.`
          : `Other values to be tested on than to learn from: ${few(
              moved.map(({ name, index }) => `${name} (stability index ${index.toFixed(2)})`),
            )}.`,
    };
  },
  unseen_levels: ({ unseen }, { test }, { max_unseen }) => {
    if (test.length === 0) return { wrong: false, detail: NO_TEST };
    const counts = Object.entries(unseen).sort((a, b) => b[1] - a[1]);
    const wrong = counts.filter(([, n]) => n > max_unseen * test.length);
    const told = counts.map(([name, n]) => `${name} ${n}`);
    return {
      wrong: wrong.length > 0,
      columns: wrong.map(([name]) => name),
      detail:
        counts.length === 0
          ? "Every level to be tested on is also learned from."
          : `Rows to be tested on with a level that none to learn from has: ${few(told)}.`,
    };
  },
  refused: ({ refused }) => ({
    wrong: refused > 0,
    detail: `${refused} rows were refused when they were imported.`,
  }),
};

const NO_TEST = "There are no rows to be tested on.";

const named = ({ frame }: LoadedTable, is: (column: Column) => boolean): string[] =>
  frame.columns.filter(is).map(({ name }) => name);

const found = (columns: readonly string[], what: string): Finding => ({
  wrong: columns.length > 0,
  columns,
  detail: columns.length === 0 ? `No column has ${what}.` : `${few(columns)}: ${what}.`,
});

function share(n: number, of: number, most: number, what: (n: number) => string): Finding {
  const part = of === 0 ? 0 : n / of;
  const detail = `${what(n)} (${(100 * part).toFixed(2)} % of ${of}).`;
  return { wrong: part > most, detail };
}

const few = (list: readonly string[]): string =>
  list.length <= 5 ? list.join(", ") : `${list.slice(0, 5).join(", ")} and ${list.length - 5} more`;

const isMissing = (column: Column, row: number): boolean =>
  column.kind === "number" ? Number.isNaN(column.values[row]!) : column.codes[row] === -1;

/** One value in every row; a column that is missing in some tells something by that. */
function isConstant(column: Column, rows: Int32Array): boolean {
  const [first] = rows;
  if (first === undefined || isMissing(column, first)) return false;
  const values = column.kind === "number" ? column.values : column.codes;
  return rows.every((row) => values[row] === values[first]);
}

const LEAST_IDS = 100;

/** Levels that hardly ever come again, or whole numbers that count the rows. */
function isIdentifier(column: Column, rows: Int32Array): boolean {
  const there = rows.filter((row) => !isMissing(column, row));
  if (there.length < LEAST_IDS) return false;
  if (column.kind === "category") return column.levels.length > 0.9 * there.length;
  const { values } = column;
  return there.every((row, i) => i === 0 || values[row] === values[there[i - 1]!]! + 1);
}

const targetColumn = ({ target, classes }: LoadedTable): Column =>
  classes.length === 0
    ? { name: "the target", kind: "number", values: Float32Array.from(target) }
    : { name: "the target", kind: "category", codes: Int32Array.from(target), levels: classes };

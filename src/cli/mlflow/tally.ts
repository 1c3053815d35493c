/*
 * What became of everything that an import met: counts by kind, and each thing that is not as it was
 * there, with the reason.
 */
import { numberText, renderTable } from "../format.ts";

const KINDS = [
  ...(["experiments", "runs", "params", "points", "inputs", "logged_models"] as const),
  ...(["models", "versions", "aliases", "files"] as const),
] as const;

export type Kind = (typeof KINDS)[number];

/** Brought now; there already, from before; left out for a reason; failed, to be tried again. */
export type How = "brought" | "there" | "skipped" | "failed";

/** One thing and what is to be said of it. */
export interface Note {
  readonly what: string;
  readonly why: string;
}

export interface Report {
  readonly from: string;
  readonly counts: Readonly<Record<Kind, Readonly<Record<How, number>>>>;
  /** Of the files that were brought now. */
  readonly bytes: number;
  /** Experiments that were joined with those of the same name. */
  readonly merged: readonly string[];
  readonly champions: readonly { readonly model: string; readonly version: number }[];
  readonly skipped: readonly Note[];
  /** What the source may have and does not tell of over HTTP. */
  readonly unseen: readonly Note[];
  /** What is here, and is another than there. */
  readonly mismatches: readonly Note[];
  readonly failed: readonly Note[];
}

/** Counts and notes while they grow. */
export function makeTally(from: string) {
  const counts = Object.fromEntries(
    KINDS.map((kind) => [kind, { brought: 0, there: 0, skipped: 0, failed: 0 }]),
  ) as Record<Kind, Record<How, number>>;
  const [skipped, mismatches, failed]: [Note[], Note[], Note[]] = [[], [], []];
  let unseen: readonly Note[] = [];
  const merged: string[] = [];
  const champions: { model: string; version: number }[] = [];
  let bytes = 0;

  const count = (kind: Kind, how: How, many = 1): void => {
    counts[kind][how] += many;
  };
  return {
    count,
    addBytes: (many: number): void => {
      bytes += many;
    },
    skip: (kind: Kind, what: string, why: string): void => {
      count(kind, "skipped");
      skipped.push({ what, why });
    },
    /** What could not be looked for. */
    hidden: (notes: readonly Note[]): void => {
      unseen = notes;
    },
    /** Something of no kind that is counted. */
    leave: (what: string, why: string): void => {
      skipped.push({ what, why });
    },
    fail: (kind: Kind, what: string, why: string): void => {
      count(kind, "failed");
      failed.push({ what, why });
    },
    differ: (what: string, why: string): void => {
      mismatches.push({ what, why });
    },
    merge: (name: string): void => {
      merged.push(name);
    },
    promoted: (model: string, version: number): void => {
      champions.push({ model, version });
    },
    of: (kind: Kind, how: How): number => counts[kind][how],
    get bytes() {
      return bytes;
    },
    report: (): Report => ({
      ...{ from, counts, bytes, merged, champions, skipped, unseen, mismatches, failed },
    }),
  };
}

export type Tally = ReturnType<typeof makeTally>;

/** Of each kind of notes so many are told in words; `--json` tells them all. */
const TOLD = 20;

const UNSEEN =
  "Not told of over HTTP (its database tells of them: --from sqlite:///… or postgresql://…):";

/** A report for people. */
export function reportText(report: Report): string {
  const right = (title: string) => ({ title, align: "right" as const });
  const counts = renderTable(
    [{ title: "" }, right("brought"), right("there already"), right("skipped"), right("failed")],
    KINDS.map((kind) => {
      const { brought, there, skipped, failed } = report.counts[kind];
      const numbers = [brought, there, skipped, failed].map((n) => numberText(n, 15));
      return [kind.replace("_", " "), ...numbers];
    }),
  );
  const { from, bytes, merged, champions, skipped, unseen, mismatches, failed } = report;
  const champion = champions.map(({ model, version }) => `${model} ${version}`);
  return [
    counts,
    `${sizeText(bytes)} of files came from ${from}.`,
    ...listText("Joined with the experiments of the same name:", merged),
    ...listText("Champions that passed the gates and serve now:", champion),
    ...notesText("Skipped:", skipped),
    ...notesText(UNSEEN, unseen),
    ...notesText("Here and not as there:", mismatches),
    ...notesText("Failed, and to be tried again (start the same import once more):", failed),
  ].join("\n");
}

const listText = (title: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : ["", title, ...shortened(items.map((item) => `  ${item}`))];

const notesText = (title: string, notes: readonly Note[]): string[] =>
  listText(
    title,
    notes.map(({ what, why }) => `${what}: ${why}`),
  );

const shortened = (lines: readonly string[]): readonly string[] =>
  lines.length <= TOLD
    ? lines
    : [...lines.slice(0, TOLD), `  … and ${lines.length - TOLD} more (--json tells all)`];

export const sizeText = (bytes: number): string =>
  bytes < 1e6
    ? `${Math.ceil(bytes / 1e3)} kB`
    : bytes < 1e9
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${(bytes / 1e9).toFixed(2)} GB`;

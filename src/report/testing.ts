/* Reports for the tests of this room; nothing else imports it. */
import { makeRandom } from "../learn/random.ts";
import { categories, frameOf, normals, numbers } from "../learn/testing.ts";
import type { ReportAbout, ReportAnswers, TableReportInput } from "./table.ts";

/** Text that would be markup if anything forgot to escape it. */
export const NASTY = `<script>alert("1 & 2")</script><img src=x onerror='y'>`;

const ABOUT: ReportAbout = {
  model: "income",
  run: "run-1",
  version: "3",
  trainer: "gbdt",
  target: "income",
  made_at: "2025-07-01T00:00:00Z",
  seed: 7,
  dataset: {
    digest: "sha256:00ff",
    train_rows: 800,
    validation_rows: 200,
    judged_rows: 600,
    judged: "part test",
  },
  params: { rounds: 100, rate: 0.1, objective: "log_loss", calibrated: true, champion: null },
};

/** Probabilities that are right about as often as they say, and outcomes. */
export const chances = (rows: number, seed: number) => {
  const random = makeRandom(seed);
  const margin = normals(rows, seed);
  const probability = margin.map((m) => 1 / (1 + Math.exp(-1.5 * m + 1)));
  const target = probability.map((p) => (random.next() < p ? 1 : 0));
  return { probability, target };
};

/** Judged rows with a town, an age with holes, and a column whose names are nasty. */
export const judgedFrame = (rows: number) =>
  frameOf(
    categories(
      "town",
      Array.from({ length: rows }, (_, i) => ["a", "b", "c", null][i % 4] ?? null),
    ),
    numbers(
      "age",
      Array.from({ length: rows }, (_, i) => (i % 9 === 0 ? Number.NaN : 18 + (i % 60))),
    ),
    categories(
      NASTY,
      Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? NASTY : "plain")),
    ),
  );

/** A binary report's input; give answers of another kind, or anything else, to change it. */
export const inputOf = (rows: number, change: Partial<TableReportInput> = {}): TableReportInput => {
  const { probability, target } = chances(rows, 4);
  const answers: ReportAnswers = {
    kind: "binary",
    positive: ">50K",
    negative: "<=50K",
    probability,
    target,
    threshold: 0.47,
    rule: "accuracy",
    baseRate: 0.3,
    champion: { version: "2", values: probability.map((p) => 0.2 + 0.5 * p) },
  };
  return {
    about: ABOUT,
    answers,
    frame: judgedFrame(rows),
    slices: [
      { column: "town", bands: null },
      { column: "age", bands: [30, 50] },
      { column: NASTY, bands: null },
    ],
    requirements: [{ column: "town", minRecall: 0.99, maxGap: 0.9 }],
    checks: [
      { name: "one_class", verdict: "passed", detail: "Both labels are there." },
      { name: "drift", verdict: "warned", detail: NASTY },
    ],
    data: {
      counts: { "adult.data": 9, [NASTY]: 1 },
      faults: [{ line: 7, message: NASTY }],
      files: [
        {
          file: NASTY,
          rows: 10,
          stored: 9,
          refused: 1,
          blank_lines: 2,
          comment_lines: 1,
          refusals: [
            { reason: "bad_number", count: 1, samples: [{ line: 4, message: `age is ${NASTY}` }] },
          ],
          columns: [
            {
              name: NASTY,
              type: "category",
              missing: 0,
              levels: 2,
              min: null,
              max: null,
              mean: null,
            },
            {
              name: "age",
              type: "number",
              missing: 3,
              levels: null,
              min: 18,
              max: 77,
              mean: 41.5,
            },
          ],
        },
      ],
    },
    importance: [{ name: NASTY, gain: 10, share: 0.75, splits: 4 }],
    permutation: [{ name: "age", rise: 0.02, low: 0.01, high: 0.03 }],
    dependence: [
      {
        name: "age",
        kind: "number",
        points: [
          { value: 20, mean: 0.2, rows: 5 },
          { value: 40, mean: 0.4, rows: 5 },
          { value: null, mean: 0.3, rows: 1 },
        ],
      },
      { name: "town", kind: "category", points: [{ value: NASTY, mean: 0.3, rows: 5 }] },
    ],
    search: {
      method: "random",
      trials: [
        { number: 0, draw: 0, rung: 0, budget: 1, options: { rate: 0.1 }, loss: 0.31 },
        { number: 1, draw: 1, rung: 0, budget: 1, options: { rate: 0.05, mode: NASTY }, loss: 0.3 },
        { number: 2, draw: 2, rung: 0, budget: 1, options: { rate: 0.9 }, loss: null },
      ],
      best: { number: 1, draw: 1, rung: 0, budget: 1, options: { mode: NASTY }, loss: 0.3 },
    },
    draws: 40,
    ...change,
  };
};

/** What is wrong with a page's markup: tags that do not pair, scripts, loads from elsewhere. */
export const faultsOf = (page: string): string[] => {
  const faults: string[] = [];
  const open: string[] = [];
  const alone = new Set(["meta", "br", "img", "link"]);
  for (const [, slash, name = "", rest = ""] of page.matchAll(/<(\/?)([a-zA-Z][\w]*)([^<>]*)>/g)) {
    if (/^(?:script|img|iframe|link|object|embed|form|a)$/i.test(name)) faults.push(`has ${name}`);
    if (/\son\w+\s*=/i.test(rest)) faults.push(`${name} has a handler`);
    if (slash === "/") {
      const opened = open.pop();
      if (opened !== name) faults.push(`${opened} ended by ${name}`);
    } else if (!alone.has(name) && !rest.endsWith("/")) open.push(name);
  }
  if (open.length > 0) faults.push(`left open: ${open}`);
  for (const word of [
    "https?:",
    "url\\(",
    "@import",
    "NaN",
    "undefined",
    "Infinity",
    "\\[object",
  ]) {
    if (new RegExp(word).test(page)) faults.push(`says ${word}`);
  }
  return faults;
};

import { expect, test } from "bun:test";
import { logLosses } from "../learn/metrics.ts";
import { makeRandom } from "../learn/random.ts";
import type { OutOfFold } from "../learn/recipe.ts";
import { marketReport } from "../learn/report.ts";
import { normals } from "../learn/testing.ts";
import { type MarketAbout, marketReportJson } from "./market.ts";
import { marketReportPage } from "./market-page.ts";
import { faultsOf, NASTY } from "./testing.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2025, 0, 1);

/** Answers that know a little, or (edge 0) nothing. */
const answersOf = (rows: number, edge: number): OutOfFold => {
  const random = makeRandom(3);
  const returns = normals(rows, 6).map((x) => x / 100);
  const up = returns.map((r) => (r > 0 ? 1 : 0));
  const even = () => new Float64Array(rows).fill(0.5);
  return {
    slots: Float64Array.from({ length: rows }, (_, i) => START + i * 4 * HOUR),
    up,
    returns,
    probability: up.map((y) => 0.5 + edge * (y - 0.5) + (random.next() - 0.5) / 50),
    low: even().fill(-0.0128),
    middle: even().fill(0),
    high: even().fill(0.0128),
    baselines: { base_rate: even(), last_direction: even(), contrarian: even() },
    folds: Float64Array.from({ length: rows }, (_, i) => START + (i - (i % 100)) * 4 * HOUR),
  };
};

const ABOUT: MarketAbout = {
  model: "btc",
  market: "KRW-BTC",
  run: NASTY,
  version: "4",
  trainer: "gbdt",
  made_at: "2025-07-01T00:00:00Z",
  how: `walk-forward ${NASTY}`,
  dataset: "sha256:12",
  params: { rounds: 120, note: NASTY },
};

const made = (rows: number, edge = 0.1) => {
  const answers = answersOf(rows, edge);
  const columns = [{ name: "profit", values: Array.from({ length: 6 }, (_, i) => i / 10) }];
  return { answers, json: marketReportJson(ABOUT, answers, marketReport(answers), columns) };
};

test("plain JSON, and a page that is whole and safe, also of a single row", () => {
  for (const rows of [1, 2, 150, 600]) {
    const { json } = made(rows);
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(faultsOf(marketReportPage(json))).toEqual([]);
  }
});

test("the skill adds up to the difference of the losses", () => {
  const { answers, json } = made(600);
  const [own, theirs] = [answers.probability, answers.baselines.base_rate].map((p) =>
    logLosses(p, answers.up).reduce((sum, v) => sum + v, 0),
  );
  expect(json.skill.at(-1)!.total).toBeCloseTo(theirs! - own!, 9);
  expect(json.skill.length).toBeLessThanOrEqual(300);
  expect(json.skill.at(-1)!.at).toBe(answers.slots.at(-1)!);
});

test("stretches are the folds of the report, with coverage and hit rate", () => {
  const { answers, json } = made(600);
  const { folds } = marketReport(answers);
  expect(json.stretches.map(({ start, rows }) => ({ start, rows }))).toEqual(
    folds.map(({ start, rows }) => ({ start, rows })),
  );
  for (const [i, stretch] of json.stretches.entries()) {
    expect(stretch.log_loss).toBeCloseTo(folds[i]!.logLoss, 12);
    expect(stretch.baseline_log_loss).toBeCloseTo(folds[i]!.baseline, 12);
    expect(stretch.coverage_low).toBeLessThan(stretch.coverage);
  }
  const hits = json.stretches.reduce((sum, s) => sum + s.hit_rate * s.rows, 0) / 600;
  expect(hits).toBeCloseTo(json.metrics["accuracy"]!, 12);
});

test("the page says plainly when there is no skill, and has the extra columns", () => {
  const none = marketReportPage(made(600, 0).json);
  expect(none.includes("No skill shown beyond the baselines")).toBe(true);
  const page = marketReportPage(made(600, 0.2).json);
  const plots = ["Skill over time", "Log-loss over time", "Calibration", "Coverage over time"];
  const wanted = [
    "Better than every baseline",
    ">profit</th>",
    "2025-01-01",
    ...plots.map((label) => `aria-label="${label}"`),
  ];
  expect(wanted.filter((text) => !page.includes(text))).toEqual([]);
});

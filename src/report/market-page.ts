/* The page of a market model's report. */
import { calibrationPlot, calibrationSpan, histogram } from "./figures.ts";
import {
  fixed,
  html,
  nothing,
  type Part,
  percent,
  type Safe,
  saidOf,
  short,
  signed,
  whole,
} from "./html.ts";
import type { MarketReportJson } from "./market.ts";
import { card, pageOf, tableOf } from "./page.ts";
import { band, dots, line, type Place, plot, reference, spanOf } from "./plot.ts";

/** The report as one HTML page without scripts or anything from elsewhere; all of it is escaped. */
export const marketReportPage = (report: MarketReportJson): string => {
  const { about, summary, metrics, better } = report;
  const title = `${about.model}${about.version === null ? "" : ` version ${about.version}`}: ${about.market}`;
  const head = html`<h1>${title}</h1>
<p class="${better ? "" : "down"}">${summary}</p>
<p class="dim">${about.how}; ${whole(metrics["rows"])} candles${
    about.trainer === null ? nothing : html`; ${about.trainer}`
  }${about.run === null ? nothing : html`; run ${about.run}`}${
    about.made_at === null ? nothing : html`; ${about.made_at}`
  }. Not advice to trade.</p>`;
  return pageOf(title, head, [
    against(report),
    skill(report),
    overTime(report),
    calibration(report),
    coverage(report),
    probabilities(report),
    stretches(report),
    facts(report),
  ]);
};

/** Figures with their intervals: the model first, then each baseline. */
const against = ({ metrics, baseline }: MarketReportJson): Safe => {
  const rows = (names: readonly string[], said: (value: number | undefined) => string) =>
    names.flatMap((name) => {
      const value = metrics[name];
      if (value === undefined) return [];
      const [low, high] = [metrics[`${name}_low`], metrics[`${name}_high`]];
      const interval = low === undefined ? "" : `${said(low)} – ${said(high)}`;
      return [
        [name.replaceAll("_", " "), said(value), html`<small class="dim">${interval}</small>`],
      ];
    });
  const losses = Object.keys(metrics).filter((name) => name.endsWith("_log_loss"));
  const shares = Object.keys(metrics).filter((name) =>
    /accuracy$|_rate$|^coverage_\d+$/.test(name),
  );
  const table = tableOf(
    ["", { number: "value" }, { number: "95 % interval" }],
    [
      ...rows(["log_loss", ...losses], (v) => fixed(v, 5)),
      ...rows(["against_baseline"], (v) => signed(v)),
      ...rows(["against_baseline_t"], (v) => fixed(v, 2)),
      ...rows(["auc", "brier", "calibration_slope"], (v) => fixed(v)),
      ...rows(shares, (v) => percent(v, 2)),
      ...rows(["pinball_p10", "pinball_p50", "pinball_p90"], short),
    ],
  );
  return card(
    "Against the baselines",
    html`${table}<p class="dim">The best baseline is ${baseline.replaceAll("_", " ")}. If the interval of
"against baseline" holds 0, no skill was shown.</p>`,
    "tall",
  );
};

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const timeAxis = (from: number, to: number) => ({
  label: "UTC",
  low: from,
  high: to,
  said: dayOf,
  ticks: to > from ? [from, (from + to) / 2, to] : [from],
});

const skill = ({ skill: points, baseline }: MarketReportJson): Part => {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return nothing;
  const [low, high] = spanOf([0, ...points.map(({ total }) => total)]);
  const drawn = plot(
    "Skill over time",
    timeAxis(first.at, last.at),
    { label: "log-loss saved, summed", low, high },
    (scale) => [
      reference(scale, [first.at, 0], [last.at, 0]),
      line(
        scale,
        points.map(({ at, total }): Place => [at, total]),
      ),
    ],
  );
  return card(
    "Skill over time",
    html`${drawn}<p class="dim">${baseline.replaceAll("_", " ")}'s log-loss minus the model's, added up. A steady
rise is skill; a step is luck or one episode.</p>`,
  );
};

const overTime = ({ stretches: all }: MarketReportJson): Part => {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined) return nothing;
  const [low, high] = spanOf(all.flatMap((s) => [s.log_loss, s.baseline_log_loss]));
  const drawn = plot(
    "Log-loss over time",
    timeAxis(first.start, last.start),
    { label: "log-loss", low, high },
    (scale) => [
      line(
        scale,
        all.map((s): Place => [s.start, s.baseline_log_loss]),
        "var(--dim)",
        "4 3",
      ),
      line(
        scale,
        all.map((s): Place => [s.start, s.log_loss]),
      ),
      dots(
        scale,
        all.map((s) => ({
          at: [s.start, s.log_loss],
          said: `${dayOf(s.start)}: ${fixed(s.log_loss, 5)}, baseline ${fixed(s.baseline_log_loss, 5)}, ${whole(s.rows)} candles`,
        })),
      ),
    ],
  );
  return card(
    "Log-loss over time",
    html`${drawn}<p class="dim">Fold by fold; dashed: the best baseline.</p>`,
  );
};

const calibration = ({ calibration: bins, calibration_line: found }: MarketReportJson): Part =>
  bins.length === 0
    ? nothing
    : card(
        "Calibration",
        html`${calibrationPlot(bins, calibrationSpan(bins))}<p class="dim">${
          found === null
            ? "The slope cannot be told."
            : html`Slope ${fixed(found.slope, 2)}, intercept ${fixed(found.intercept, 3)}: 1 and 0 are right, a slope below 1 is too sure.`
        }</p>`,
      );

const coverage = ({ stretches: all }: MarketReportJson): Part => {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined) return nothing;
  const [low, high] = spanOf([0.8, ...all.flatMap((s) => [s.coverage_low, s.coverage_high])]);
  const drawn = plot(
    "Coverage over time",
    timeAxis(first.start, last.start),
    {
      label: "within p10 to p90",
      low: Math.max(0, low),
      high: Math.min(1, high),
      said: (v) => percent(v, 0),
    },
    (scale) => [
      reference(scale, [first.start, 0.8], [last.start, 0.8]),
      band(
        scale,
        all.map((s): Place => [s.start, s.coverage_low]),
        all.map((s): Place => [s.start, s.coverage_high]),
      ),
      line(
        scale,
        all.map((s): Place => [s.start, s.coverage]),
      ),
    ],
  );
  return card(
    "Interval",
    html`${drawn}<p class="dim">Share of returns within the 10–90 interval, fold by fold with 95 % intervals;
dashed: what it should hold.</p>`,
  );
};

const probabilities = ({ histogram: { low, high, counts } }: MarketReportJson): Part =>
  counts.length === 0 || !(high > low)
    ? nothing
    : card(
        "Probabilities of up",
        histogram("Probabilities of up", "probability", low, high, [
          { counts, color: "var(--accent)", name: "candles" },
        ]),
      );

const stretches = ({ stretches: all, columns }: MarketReportJson): Part =>
  card(
    "Folds",
    tableOf(
      [
        "from",
        ...["candles", "log-loss", "baseline", "difference", "hit rate", "up", "coverage"].map(
          (number) => ({ number }),
        ),
        ...columns.map(({ name }) => ({ number: name })),
      ],
      all.map((s, i) => [
        dayOf(s.start),
        whole(s.rows),
        fixed(s.log_loss, 5),
        fixed(s.baseline_log_loss, 5),
        html`<span class="${s.log_loss < s.baseline_log_loss ? "up" : "down"}">${signed(s.log_loss - s.baseline_log_loss)}</span>`,
        percent(s.hit_rate),
        percent(s.up_rate),
        percent(s.coverage),
        ...columns.map(({ values }) => short(values[i])),
      ]),
    ),
    "wide",
  );

const facts = ({ about }: MarketReportJson): Part => {
  const rows = [
    ...(about.dataset === null ? [] : [["dataset", about.dataset]]),
    ...Object.entries(about.params).map(([name, value]) => [name, saidOf(value)]),
  ];
  return rows.length === 0 ? nothing : card("How it was made", tableOf(["", { text: "" }], rows));
};

/* The page of a market model's report. */
import { importance } from "./column-cards.ts";
import { calibrationPlot, calibrationSpan } from "./figures.ts";
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
import { coveragePlot, dayOf, foldsPlot, probabilitiesPlot, skillPlot } from "./market-plots.ts";
import { card, pageOf, tableOf } from "./page.ts";
import { roundsCard } from "./rounds.ts";
import { svgOf } from "./svg.ts";

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
    roundsCard(report.rounds ?? null),
    importance(report.importance ?? []),
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

const skill = (report: MarketReportJson): Part => {
  const drawn = skillPlot(report);
  return drawn === null
    ? nothing
    : card(
        "Skill over time",
        html`${svgOf(drawn)}<p class="dim">${report.baseline.replaceAll("_", " ")}'s log-loss minus the model's, added up. A steady
rise is skill; a step is luck or one episode.</p>`,
      );
};

const overTime = (report: MarketReportJson): Part => {
  const drawn = foldsPlot(report);
  return drawn === null
    ? nothing
    : card(
        "Log-loss over time",
        html`${svgOf(drawn)}<p class="dim">Fold by fold; dashed: the best baseline.</p>`,
      );
};

const calibration = ({ calibration: bins, calibration_line: found }: MarketReportJson): Part =>
  bins.length === 0
    ? nothing
    : card(
        "Calibration",
        html`${svgOf(calibrationPlot(bins, calibrationSpan(bins)))}<p class="dim">${
          found === null
            ? "The slope cannot be told."
            : html`Slope ${fixed(found.slope, 2)}, intercept ${fixed(found.intercept, 3)}: 1 and 0 are right, a slope below 1 is too sure.`
        }</p>`,
      );

const coverage = (report: MarketReportJson): Part => {
  const drawn = coveragePlot(report);
  return drawn === null
    ? nothing
    : card(
        "Interval",
        html`${svgOf(drawn)}<p class="dim">Share of returns within the 10–90 interval, fold by fold with 95 % intervals;
dashed: what it should hold.</p>`,
      );
};

const probabilities = (report: MarketReportJson): Part => {
  const drawn = probabilitiesPlot(report);
  return drawn === null ? nothing : card("Probabilities of up", svgOf(drawn));
};

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

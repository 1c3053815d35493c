/*
 * The page of a table model's report. Every part takes the report and gives a card, or nothing
 * where the report has nothing for it.
 */
import type { Difference } from "../learn/interval.ts";
import { binaryCards } from "./binary-cards.ts";
import { dependence, importance, permutation } from "./column-cards.ts";
import { checks, data, search } from "./data-cards.ts";
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
import { classCards, numberCards } from "./other-cards.ts";
import { card, pageOf, tableOf } from "./page.ts";
import { roundsCard } from "./rounds.ts";
import { slices } from "./slice-cards.ts";
import type { TableReportJson } from "./table.ts";

/**
 * The report as one HTML page without scripts or anything from elsewhere; what it holds is escaped.
 */
export const reportPage = (report: TableReportJson): string => {
  const { about, summary } = report;
  const title = `${about.model}${about.version === null ? "" : ` version ${about.version}`}: evaluation`;
  const head = html`<h1>${title}</h1>
<p>${summary}</p>
<p class="dim">${about.trainer}, target ${about.target}; judged on ${whole(about.dataset.judged_rows)} rows
(${about.dataset.judged}), learned from ${whole(about.dataset.train_rows + about.dataset.validation_rows)}${
    about.run === null ? nothing : html`; run ${about.run}`
  }${about.made_at === null ? nothing : html`; ${about.made_at}`}</p>`;
  return pageOf(title, head, [
    figures(report),
    comparison(report),
    ...(report.binary === null ? [] : binaryCards(report.binary)),
    ...(report.classes === null ? [] : classCards(report.classes)),
    ...(report.numbers === null ? [] : numberCards(report.numbers)),
    slices(report),
    roundsCard(report.rounds ?? null),
    importance(report.importance),
    permutation(report),
    dependence(report.dependence),
    search(report),
    checks(report),
    data(report),
    facts(report),
  ]);
};

/** Names of figures whose value is a share of rows. */
const isShare = (name: string): boolean =>
  /accuracy$|rate$|^precision$|^recall$|^specificity$|^coverage_\d+$|^share_below_/.test(name);

const figures = ({ metrics }: TableReportJson): Safe => {
  const names = Object.keys(metrics).filter((name) => !/_(?:low|high|t)$/.test(name));
  const said = (name: string, value: number | undefined) =>
    name === "rows" ? whole(value) : isShare(name) ? percent(value, 2) : short(value);
  const rows = names.map((name) => {
    const [low, high] = [metrics[`${name}_low`], metrics[`${name}_high`]];
    const interval = low === undefined ? "" : `${said(name, low)} – ${said(name, high)}`;
    return [
      name.replaceAll("_", " "),
      said(name, metrics[name]),
      html`<small class="dim">${interval}</small>`,
    ];
  });
  return card(
    "Figures",
    tableOf(["", { number: "value" }, { number: "95 % interval" }], rows),
    "tall",
  );
};

const comparison = (report: TableReportJson): Part => {
  const { champion, binary, classes, numbers } = report;
  if (champion === null) {
    return card("Against the champion", html`<p class="dim">There was no champion.</p>`);
  }
  const rows: readonly (readonly [string, Difference | null | undefined, "lower" | "higher"])[] =
    binary !== null
      ? [
          ["log-loss", binary.champion?.logLoss, "lower"],
          ["AUC", binary.champion?.auc, "higher"],
        ]
      : [["loss", (classes?.champion?.logLoss ?? numbers?.champion?.loss) as Difference, "lower"]];
  const table = tableOf(
    [
      `minus version ${champion}`,
      { number: "mean" },
      { number: "95 % interval" },
      { number: "t" },
      "",
    ],
    rows.map(([name, difference, better]) => [
      name,
      signed(difference?.mean),
      html`<small>${signed(difference?.low)} – ${signed(difference?.high)}</small>`,
      fixed(difference?.t, 2),
      difference == null ? "too few rows" : judged(difference, better),
    ]),
  );
  return card("Against the champion", html`${table}<p class="dim">Paired, on the same rows.</p>`);
};

const judged = ({ low, high }: Difference, better: "lower" | "higher"): Safe => {
  if (low <= 0 && high >= 0) return html`<span class="dim">may be chance</span>`;
  const isBetter = better === "lower" ? high < 0 : low > 0;
  return isBetter ? html`<span class="up">better</span>` : html`<span class="down">worse</span>`;
};

const facts = ({ about }: TableReportJson): Safe => {
  const {
    digest,
    train_rows: train,
    validation_rows: validation,
    judged_rows: rows,
  } = about.dataset;
  return card(
    "How it was made",
    tableOf(
      ["", { text: "" }],
      [
        ["seed", String(about.seed)],
        [
          "rows",
          `${whole(train)} fitted, ${whole(validation)} to choose by, ${whole(rows)} judged`,
        ],
        ["dataset", digest],
        ...Object.entries(about.params).map(([name, value]) => [name, saidOf(value)]),
      ],
    ),
  );
};

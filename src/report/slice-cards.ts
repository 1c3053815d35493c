/* The card of the slices, and of the gates that hold them. */
import { fixed, html, nothing, type Part, percent, short, signed, whole } from "./html.ts";
import { card, tableOf, verdict } from "./page.ts";
import type { TableReportJson } from "./table.ts";

/** Figures by slice. */
export const slices = ({
  slices: cut,
  loss_slices: losses,
  slice_gates: gates,
}: TableReportJson): Part => {
  if (cut.length === 0 && losses.length === 0) return nothing;
  const table =
    cut.length > 0
      ? tableOf(
          [
            "column",
            "slice",
            ...[
              "rows",
              "positive",
              "called",
              "recall",
              "precision",
              "accuracy",
              "AUC",
              "log-loss",
            ].map((number) => ({ number })),
            { number: "said - came" },
            { number: "slope" },
          ],
          cut.map((s) => [
            s.column,
            s.slice,
            whole(s.rows),
            percent(s.positiveRate),
            percent(s.calledRate),
            percent(s.recall),
            percent(s.precision),
            percent(s.accuracy),
            fixed(s.auc),
            fixed(s.logLoss),
            signed(s.calibrationGap, 3),
            fixed(s.calibrationSlope, 2),
          ]),
        )
      : tableOf(
          ["column", "slice", ...["rows", "loss", "said", "came"].map((number) => ({ number }))],
          losses.map((s) => [
            s.column,
            s.slice,
            whole(s.rows),
            short(s.loss),
            short(s.meanForecast),
            short(s.meanTarget),
          ]),
        );
  const held = tableOf(
    ["gate", "", { text: "" }, "accepted"],
    gates.map(({ column, rule, passed, detail, accepted }) => [
      `${rule.replaceAll("_", " ")}: ${column}`,
      verdict(passed ? "passed" : "failed"),
      detail,
      accepted,
    ]),
  );
  return card("Slices", html`${table}${held}`, "wide");
};

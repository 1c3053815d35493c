import type { Metrics } from "../learn/evaluate/figures.ts";

/**
 * One sentence on a table model: its loss beside that of a model without columns, and, where there
 * is a champion, whether it is better, worse, or not told apart from it.
 */
export const summaryOf = (kind: string, metrics: Metrics, champion: string | null): string => {
  const count = metrics["rows"] ?? 0;
  const rows = `${count.toLocaleString("en-US")} ${count === 1 ? "row" : "rows"}`;
  const figures =
    kind === "binary" || kind === "multiclass"
      ? `Log-loss ${said(metrics["log_loss"])} (${said(metrics["base_rate_log_loss"])} without any column)`
      : kind === "count"
        ? `Deviance ${said(metrics["deviance"])} (${said(metrics["base_mean_deviance"])} without any column)`
        : `Root mean squared error ${said(metrics["rmse"])} (${said(metrics["base_mean_rmse"])} without any column)`;
  const area = metrics["auc"] ?? metrics["macro_auc"];
  const auc = area === undefined ? "" : `, AUC ${said(area)}`;
  return `${figures}${auc} on ${rows}. ${beside(metrics, champion)}`;
};

const beside = (metrics: Metrics, champion: string | null): string => {
  if (champion === null) return "There is no champion to compare with.";
  const [mean, low, high] = ["", "_low", "_high"].map((end) => metrics[`against_champion${end}`]);
  const against = `version ${champion}`;
  if (mean === undefined || low === undefined || high === undefined) {
    return `Too few rows to compare with ${against}.`;
  }
  if (high < 0) return `Better than ${against} by ${said(-mean)} a row, beyond chance.`;
  if (low > 0) return `Worse than ${against} by ${said(mean)} a row, beyond chance.`;
  return `Not told apart from ${against}: the difference of ${said(mean)} a row may be chance.`;
};

const said = (value: number | undefined): string =>
  value === undefined
    ? "unknown"
    : Math.abs(value) >= 100
      ? value.toLocaleString("en-US", { maximumFractionDigits: 1 })
      : value.toFixed(value !== 0 && Math.abs(value) < 0.001 ? 6 : 4);

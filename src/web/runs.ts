/*
 * The page of runs: what clients of MLflow's protocol and trainings of Sluice logged, and the
 * registry. It reads by that protocol, as any client does.
 */
import chart from "./browser/chart.js" with { type: "text" };
import registry from "./browser/registry-parts.js" with { type: "text" };
import source from "./browser/runs.html" with { type: "text" };
import script from "./browser/runs.js" with { type: "text" };
import parts from "./browser/runs-parts.js" with { type: "text" };
import { livePage } from "./shell.ts";

// As text, though the type of *.html is that of a bundle.
const page = source as unknown as string;

/** The page at /runs. */
export const runsPage = (simulated: boolean) =>
  livePage(page, [chart, parts, registry, script], simulated);

/*
 * The dashboard: the models, what they say now and how it turned out.
 */
import source from "./browser/dashboard.html" with { type: "text" };
import script from "./browser/dashboard.js" with { type: "text" };
import { livePage } from "./shell.ts";

// As text, though the type of *.html is that of a bundle.
const page = source as unknown as string;

/** The page at /. */
export const dashboardPage = (simulated: boolean) => livePage(page, [script], simulated);

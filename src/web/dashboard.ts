/*
 * The dashboard: one page without anything from elsewhere. It asks the routes for what it shows.
 */
import source from "./dashboard.html" with { type: "text" };
import { BANNER_STYLE, banner, type Html } from "./html.ts";

// As text, though the type of *.html is that of a bundle.
const page = source as unknown as string;

/** The page at /. */
export const dashboardPage = (simulated: boolean): Html => ({
  hosted: false,
  text: page
    .replace("/* banner style */", () => BANNER_STYLE)
    .replace("<!-- banner -->", () => banner(simulated))
    .replace("<title>Sluice", () => `<title>Sluice${simulated ? " (SIMULATED)" : ""}`),
});

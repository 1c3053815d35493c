/*
 * Pages that ask the routes for what they show: each its own markup and script, around the style
 * and the script that all of them share. Nothing in them comes from elsewhere.
 */

import style from "./browser/shell.css" with { type: "text" };
import script from "./browser/shell.js" with { type: "text" };
import { BANNER_STYLE, banner, type Html } from "./html.ts";

const NAV = [
  ["/", "Models"],
  ["/runs", "Runs"],
  ["/docs", "Routes"],
  ["/docs/errors", "Errors"],
] as const;

const nav = NAV.map(([path, name]) => `<a href="${path}">${name}</a>`).join(" · ");

const TOKEN = `<form id="ask" hidden>
<label for="token">Token <span id="why"></span></label>
<input id="token" type="password" autocomplete="off" placeholder="sluice_…" required>
<button type="submit">Use this token</button>
</form>`;

/** The page of a source with marks where the shared parts go, and of its own scripts. */
export const livePage = (source: string, scripts: readonly string[], simulated: boolean): Html => ({
  hosted: false,
  text: source
    .replace("/* shell style */", () => style + BANNER_STYLE)
    .replace("/* script */", () => `"use strict";\n${[script, ...scripts].join("\n")}`)
    .replace("<!-- banner -->", () => banner(simulated))
    .replace("<!-- nav -->", () => nav)
    .replace("<!-- token -->", () => TOKEN)
    .replace("<title>Sluice", () => `<title>Sluice${simulated ? " (SIMULATED)" : ""}`),
});

/*
 * The frame of a report's page: one file that needs nothing from elsewhere and runs no script. It
 * looks like the dashboard (src/web/dashboard.html), in the light and in the dark.
 */
import { html, nothing, type Part, type Safe } from "./html.ts";

const STYLE = `:root { color-scheme: light dark; --line: light-dark(#d6dbe1, #343c46);
  --dim: light-dark(#57606a, #9aa4b0); --bg: light-dark(#f6f8fa, #0f1419); --card: light-dark(#fff, #171d24);
  --ink: light-dark(#1c2430, #e4e9ee); --up: light-dark(#0a7d4f, #3ecf8e); --down: light-dark(#c0362c, #ff7b72);
  --accent: light-dark(#1f5fbf, #79b0ff); }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; background: var(--bg); color: var(--ink); }
header, main { max-width: 72rem; margin: 0 auto; padding: .8rem 1rem; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 0 0 .6rem; }
.dim { color: var(--dim); } .up { color: var(--up); } .down { color: var(--down); }
.grid { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); align-items: start; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; }
.wide { grid-column: 1 / -1; } .tall { grid-row: span 2; } .tall table { font-size: .8rem; }
.big { font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; }
p { margin: .4rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--dim); } th, td { padding: .2rem .6rem .2rem 0; white-space: nowrap; }
td.text { white-space: normal; } .num { text-align: right; }
.passed { color: var(--up); } .failed { color: var(--down); font-weight: 600; } .warned { color: var(--accent); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font-size: 11px; }
svg .ink { fill: var(--ink); }
@media print { .card { break-inside: avoid; } }`;

/** A whole page of cards below a head. */
export const pageOf = (title: string, head: Part, cards: readonly Part[]): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${{ safe: STYLE }}</style>
</head>
<body>
<header>
${head}
</header>
<main class="grid">
${cards}
</main>
</body>
</html>
`.safe;

/** A card with a heading: as wide as the page, or beside two that lie below each other. */
export const card = (title: string, content: Part, size: "" | "wide" | "tall" = ""): Safe =>
  html`<section class="card ${size}"><h2>${title}</h2>${content}</section>
`;

/** A column of a table: its head, and whether it holds numbers. */
export type Head = string | { readonly number: string } | { readonly text: string };

/** A table; nothing without rows. */
export const tableOf = (heads: readonly Head[], rows: readonly (readonly Part[])[]): Safe => {
  if (rows.length === 0) return nothing;
  const classOf = (head: Head | undefined): string =>
    head === undefined || typeof head === "string" ? "" : "number" in head ? "num" : "text";
  const nameOf = (head: Head): string =>
    typeof head === "string" ? head : "number" in head ? head.number : head.text;
  return html`<table><tr>${heads.map(
    (head) => html`<th class="${classOf(head)}">${nameOf(head)}</th>`,
  )}</tr>${rows.map(
    (row) =>
      html`<tr>${row.map((cell, i) => html`<td class="${classOf(heads[i])}">${cell}</td>`)}</tr>`,
  )}</table>`;
};

/** A word in the colour of what it says. */
export const verdict = (word: "passed" | "warned" | "failed"): Safe =>
  html`<span class="${word}">${word}</span>`;

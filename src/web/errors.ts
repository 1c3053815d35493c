/*
 * The page that a problem's `type` points at: every code with its meaning and remedy.
 */
import { BANNER_STYLE, banner, escapeHtml, type Html } from "./html.ts";

export interface ErrorEntry {
  readonly code: string;
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
}

const STYLE = `:root{color-scheme:light dark}body{margin:0;font:1rem/1.5 system-ui}
main{max-width:46rem;margin:0 auto;padding:1rem}dt{margin-top:1.4rem;font-weight:600}
dd{margin:.2rem 0}code{font-size:.95em}:target{outline:2px solid;outline-offset:.3rem}`;

const entry = ({ code, title, meaning, remedy }: ErrorEntry): string =>
  `<dt id="${escapeHtml(code)}">${escapeHtml(title)} <code>${escapeHtml(code)}</code></dt>
<dd>${escapeHtml(meaning)}</dd><dd><strong>What to do:</strong> ${escapeHtml(remedy)}</dd>`;

/** The page at /docs/errors. */
export const errorsPage = (entries: readonly ErrorEntry[], simulated: boolean): Html => ({
  hosted: false,
  text: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice: errors${simulated ? " (SIMULATED)" : ""}</title>
<style>${STYLE}${BANNER_STYLE}</style>
</head>
<body>
${banner(simulated)}
<main>
<p><a href="/">Dashboard</a> · <a href="/docs">Routes</a></p>
<h1>Errors</h1>
<p>Each error answer is a problem detail (RFC 9457): <code>code</code> is stable,
<code>detail</code> says what was wrong, <code>fix</code> what to do.</p>
<dl>
${entries.map(entry).join("\n")}
</dl>
</main>
</body>
</html>
`,
});

/*
 * The page to read and try the routes: Swagger UI over this server's own document.
 */
import { BANNER_STYLE, banner, type Html } from "./html.ts";

/** The page at /docs. */
export const docsPage = (simulated: boolean): Html => ({
  hosted: true,
  text: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>Sluice: routes${simulated ? " (SIMULATED)" : ""}</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<style>body{margin:0}.top{padding:.6rem 1.2rem;font:1rem system-ui}${BANNER_STYLE}</style>
</head>
<body>
${banner(simulated)}
<p class="top"><a href="/">Dashboard</a> · <a href="/docs/errors">Errors</a> ·
<a href="/openapi.json">openapi.json</a></p>
<div id="routes">This page needs JavaScript; the document is at /openapi.json.</div>
<script src="/docs/swagger-ui.js"></script>
<script>SwaggerUIBundle({ url: "/openapi.json", dom_id: "#routes", deepLinking: true,
  defaultModelsExpandDepth: -1, validatorUrl: null })</script>
</body>
</html>
`,
});

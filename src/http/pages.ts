/*
 * Pages for people. They hold no data, only the program's own text, so they need no token; what
 * they show they ask of the routes, with the token that the reader gives them.
 */

// The browser's parts of Swagger UI travel in the binary; nothing is loaded from elsewhere.
import swaggerStyle from "swagger-ui-dist/swagger-ui.css" with { type: "text" };
import * as v from "valibot";
import { readAsset } from "../assets.ts";
import { dashboardPage } from "../web/dashboard.ts";
import { docsPage } from "../web/docs.ts";
import { errorsPage } from "../web/errors.ts";
import { type Html, policyOf } from "../web/html.ts";
import { runsPage } from "../web/runs.ts";
import { codes } from "./codes.ts";
import type { OpenCall, OpenRoute } from "./route.ts";

const page = (path: string, summary: string, html: (simulated: boolean) => Html): OpenRoute => {
  const kept = new Map<boolean, { html: string; policy: string }>();
  return {
    ...{ method: "GET", path, group: "open", tag: "pages", summary, gives: "text/html" },
    handle: ({ simulated }: OpenCall) => {
      const made = kept.get(simulated) ?? withPolicy(html(simulated));
      kept.set(simulated, made);
      return new Response(made.html, {
        headers: {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy": made.policy,
          "referrer-policy": "no-referrer",
          "cache-control": "no-cache",
        },
      });
    },
  };
};

const withPolicy = (html: Html) => ({ html: html.text, policy: policyOf(html) });

const file = (path: string, type: string, body: () => Promise<Uint8Array> | string): OpenRoute => ({
  ...{ method: "GET", path, group: "open", tag: "pages", summary: "A part of /docs", gives: type },
  handle: async () =>
    new Response((await body()) as string | Uint8Array<ArrayBuffer>, {
      headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "max-age=3600" },
    }),
});

export const pageRoutes: readonly OpenRoute[] = [
  page("/", "The dashboard", dashboardPage),
  page("/runs", "Runs and the registry, to look at and to compare", runsPage),
  page("/docs", "A page to read and try the routes", docsPage),
  page("/docs/errors", "Every code of an error, with its remedy", (simulated) =>
    errorsPage(codes, simulated),
  ),
  file("/docs/swagger-ui.js", "text/javascript", () => readAsset("swaggerScript")),
  file("/docs/swagger-ui.css", "text/css", () => swaggerStyle),
  {
    method: "GET",
    path: "/openapi.json",
    group: "open",
    tag: "pages",
    summary: "The OpenAPI 3.1 document",
    gives: v.looseObject({ openapi: v.string() }),
    handle: ({ document }) => document(),
  },
];

/*
 * Pages as text: everything that is put in is escaped, and each page's policy lets run only the
 * scripts that it was made with.
 */

export { escapeHtml } from "../report/html.ts";

/** A whole page. `hosted`: it also loads files of this server itself. */
export interface Html {
  readonly text: string;
  readonly hosted: boolean;
}

/** The Content-Security-Policy of a page: its inline scripts by digest, nothing from elsewhere. */
export function policyOf({ text, hosted }: Html): string {
  const scripts = [...text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => {
    const digest = new Bun.CryptoHasher("sha256").update(match[1]!).digest("base64");
    return `'sha256-${digest}'`;
  });
  const self = hosted ? " 'self'" : "";
  return [
    "default-src 'none'",
    `script-src ${scripts.join(" ")}${self}`,
    `style-src 'unsafe-inline'${self}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** What every page of a simulated server says at its head. */
export const banner = (simulated: boolean): string =>
  simulated
    ? '<p role="alert" class="simulated">SIMULATED: an invented exchange. ' +
      "No real prices, no real forecasts.</p>"
    : "";

export const BANNER_STYLE =
  ".simulated{margin:0;padding:.6rem 1rem;background:#b45309;color:#fff;font:600 1rem system-ui;" +
  "text-align:center;position:sticky;top:0;z-index:9}";

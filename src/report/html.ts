/*
 * Text and numbers as HTML. Whatever is put into an `html` template is escaped, unless it came out
 * of a template itself, so nothing that a model file or a data set holds can become markup.
 */

/** Markup that a template made. */
export interface Safe {
  readonly safe: string;
}

/** What may be put into a template; null and undefined read as a dash. */
export type Part = string | number | null | undefined | Safe | readonly Part[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that means itself in HTML, within and outside of attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");

/** Markup with parts, each of them escaped. */
export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Safe => ({
  safe: texts.map((text, i) => text + (i < parts.length ? textOf(parts[i]) : "")).join(""),
});

const textOf = (part: Part): string => {
  if (part === null || part === undefined) return "–";
  if (typeof part === "string") return escapeHtml(part);
  if (typeof part === "number") return escapeHtml(String(part));
  return "safe" in part ? part.safe : part.map(textOf).join("");
};

/** Nothing at all. */
export const nothing: Safe = { safe: "" };

/** A number with so many digits behind the point; a dash where there is none. */
export const fixed = (value: number | null | undefined, digits = 4): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : value.toLocaleString("en-US", {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      });

/** A whole number with its thousands apart. */
export const whole = (value: number | null | undefined): string => fixed(value, 0);

/** A share as a percentage. */
export const percent = (value: number | null | undefined, digits = 1): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : `${fixed(100 * value, digits)} %`;

/** A number of any size in about four digits. */
export const short = (value: number | null | undefined): string => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumSignificantDigits: size >= 1e4 ? 9 : 4 });
};

/** With its sign, since it is a difference. */
export const signed = (value: number | null | undefined, digits = 5): string => {
  const said = fixed(value, digits);
  return said !== "–" && (value ?? 0) > 0 ? `+${said}` : said;
};

/** A parameter of any kind. */
export const saidOf = (value: number | string | boolean | null): string =>
  typeof value === "number" ? short(value) : value === null ? "–" : String(value);

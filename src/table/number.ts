/*
 * Numbers as text. Number("") is 0 and Number("0x10") is 16, so numbers have a form of their own.
 */

const POINT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const COMMA = /^[+-]?(?:\d+,?\d*|,\d+)(?:e[+-]?\d+)?$/i;

/** The number that a text is in decimal notation, null for anything else; never infinite. */
export function parseNumber(text: string, decimal: "." | "," = "."): number | null {
  if (!(decimal === "." ? POINT : COMMA).test(text)) return null;
  // The sum makes -0 the 0 that it equals.
  const value = Number(decimal === "." ? text : text.replace(",", ".")) + 0;
  return Number.isFinite(value) ? value : null;
}

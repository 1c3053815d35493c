/*
 * SQL as text with $1, $2 … as drizzle has it, for statements that also run within a transaction.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Whole } from "./whole.ts";

/** The statement with these parameters; arrays stay arrays. */
export function bound(text: string, params: readonly unknown[]): SQL {
  const parts = text.split(/\$(\d+)/);
  return sql.join(
    parts.map((part, i) => (i % 2 === 0 ? sql.raw(part) : sql.param(params[Number(part) - 1]))),
  );
}

/** Texts as the text of an array: the drivers take several times as long to write one. */
export const textsOf = (texts: readonly string[]): string => {
  let written = "{";
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]!;
    written += `${i === 0 ? '"' : ',"'}${/["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text}"`;
  }
  return `${written}}`;
};

/** Numbers as the text of an array, NaN and the infinities too. */
export const numbersOf = (numbers: readonly Whole[]): string => `{${numbers.join(",")}}`;

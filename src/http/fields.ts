/*
 * Pieces of queries and bodies that several routes share, with messages for people.
 */
import * as v from "valibot";
import type { Fault } from "../errors.ts";
import { MODEL_NAME } from "../models.ts";
import { INSTANT_FORM, parseInstant } from "./instant.ts";

/** An object with exactly these keys; the message of an unknown one lists those that are known. */
export const exact = <const Entries extends v.ObjectEntries>(entries: Entries) => {
  const names = Object.keys(entries);
  const known = names.length === 0 ? "nothing is accepted here" : `accepted: ${names.join(", ")}`;
  return v.strictObject(entries, (issue) => {
    if (issue.expected === "never") return `is not known; ${known}`;
    return issue.path === undefined ? "expected an object" : "is needed";
  });
};

/** A page's size, as a query has it. */
export const limit = (most: number, usual: number) => {
  const message = `expected a whole number from 1 to ${most}`;
  return v.optional(
    v.pipe(
      v.string(message),
      v.regex(/^\d{1,6}$/, message),
      v.transform(Number),
      v.minValue(1, message),
      v.maxValue(most, message),
      v.description(`How many items at most: 1 to ${most}.`),
    ),
    String(usual),
  );
};

/** The token of a page. */
export const pageToken = v.optional(
  v.pipe(
    v.string("expected one token"),
    v.maxLength(500, "expected the `next` of the page before"),
    v.description("The `next` of the page before."),
  ),
);

/** Query of a list: newest first, pages by token. */
export const page = { limit: limit(1_000, 100), before: pageToken };

/** An instant, as ISO 8601 text with a zone. */
export const instant = v.pipe(
  v.string(INSTANT_FORM),
  v.check(
    (text) => parseInstant(text) !== null,
    (issue) =>
      / \d\d:\d\d$/.test(issue.input) ? `${INSTANT_FORM} (in a URL, + is %2B)` : INSTANT_FORM,
  ),
  v.transform((text) => parseInstant(text)!),
  v.metadata({ description: "ISO 8601 with Z or an offset.", examples: ["2025-01-01T00:00:00Z"] }),
);

const NAME_FORM = `expected a name that matches ${MODEL_NAME.source}`;
export const name = v.pipe(v.string(NAME_FORM), v.regex(MODEL_NAME, NAME_FORM));

export const MARKET = /^[A-Z0-9]{2,10}-[A-Z0-9]{1,15}$/;
const MARKET_FORM = "expected a market such as KRW-BTC";
export const market = v.pipe(v.string(MARKET_FORM), v.regex(MARKET, MARKET_FORM));

const VERSION_FORM = "expected the number of a version";
export const version = v.pipe(
  v.number(VERSION_FORM),
  v.integer(VERSION_FORM),
  v.minValue(1, VERSION_FORM),
  v.maxValue(2 ** 31 - 1, VERSION_FORM),
);

/** Issues as faults with paths such as `instances[3].ret_1`. */
export const faultsOf = (
  issues: readonly {
    readonly message: string;
    readonly path?: readonly (PropertyKey | { readonly key?: unknown })[] | undefined;
  }[],
): Fault[] => issues.map((issue) => ({ path: pathText(issue.path ?? []), message: issue.message }));

function pathText(path: readonly (PropertyKey | { readonly key?: unknown })[]): string {
  let text = "";
  for (const part of path) {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}

/*
 * Tokens of pages: where in the order the last row stood, so that the next page begins right after
 * it however many rows were added meanwhile. A token belongs to the query that it was given for.
 */
import { createHash } from "node:crypto";
import { isWholeText } from "../../store/whole.ts";
import { badSearch } from "./fault.ts";
import type { Kind } from "./fields.ts";

/** The last row of a page: the phase of the order it is in, and its keys as text. */
export interface Mark {
  readonly phase: number;
  readonly keys: readonly (string | null)[];
}

/** What a query is known by: the same for every page of it. */
export const queryId = (...parts: readonly unknown[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 16);

export const tokenOf = (query: string, { phase, keys }: Mark): string =>
  Buffer.from(JSON.stringify([query, phase, ...keys])).toString("base64url");

/** The mark in a token, null without one; `invalid_parameter` (400) for any other text. */
export function markIn(
  token: string | undefined,
  query: string,
  kindsOf: (phase: number) => readonly Kind[] | null,
): Mark | null {
  if (token === undefined || token === "") return null;
  const parts = jsonOf(token);
  if (!Array.isArray(parts) || typeof parts[0] !== "string") throw malformed();
  const [given, phase, ...keys] = parts as [string, ...unknown[]];
  if (given !== query) {
    throw badSearch(
      "Invalid page token: it was given for another query.",
      "Repeat the filter, the order and everything else of the page before.",
    );
  }
  const kinds = typeof phase === "number" ? kindsOf(phase) : null;
  // What the order ends with is there in every row.
  if (kinds === null || kinds.length !== keys.length || keys.at(-1) === null) throw malformed();
  if (!keys.every((key, i) => key === null || isOf(kinds[i]!, key))) throw malformed();
  return { phase: phase as number, keys: keys as (string | null)[] };
}

const malformed = () =>
  badSearch(
    "Invalid page token, could not base64-decode it to a place in this search.",
    "Give the next_page_token of the page before as it was, or none for the first page.",
  );

/** Whether a column of that kind could hold it: nothing else may reach the database. */
function isOf(kind: Kind, key: unknown): boolean {
  if (typeof key !== "string") return false;
  if (kind === "text") return !key.includes("\0") && key.isWellFormed();
  if (kind === "int") return isWholeText(key);
  return /^-?(?:\d{1,330}(?:\.\d{1,330})?(?:e[+-]?\d{1,3})?|Infinity)$/.test(key);
}

function jsonOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/*
 * Pages of lists. A token holds the keys of the last item that was given, so that a page starts
 * right after it however many items were added meanwhile.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { isWholeText } from "../store/whole.ts";

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Give this as `before` for the next page; null after the last. */
  readonly next: string | null;
}

export interface PageRequest {
  readonly limit: number;
  readonly before?: string | undefined;
}

/** A whole number of 64 bits as a token has it. */
export const wholeKey = v.pipe(v.string(), v.check(isWholeText));

const LIMIT = 1_000;

/** The limit itself, or `bad_limit` (422) when it is not a whole number from 1 to 1,000. */
export function pageLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT) return limit;
  throw new SluiceError({
    code: "bad_limit",
    status: 422,
    detail: `A page of ${limit} items was asked for.`,
    fix: `Ask for a whole number from 1 to ${LIMIT}.`,
  });
}

/** A page from rows of which one more than `limit` was read: that one tells there is a next. */
export function pageOf<Item>(
  rows: readonly Item[],
  limit: number,
  keysOf: (item: Item) => readonly unknown[],
): Page<Item> {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  const next = last === undefined ? null : Buffer.from(JSON.stringify(keysOf(last)));
  return { items, next: next === null ? null : next.toString("base64url") };
}

/** The keys in a token, checked; null without a token; `bad_token` (422) for any other text. */
export function keysIn<Keys>(
  token: string | undefined,
  schema: v.GenericSchema<unknown, Keys>,
): Keys | null {
  if (token === undefined) return null;
  const parsed = v.safeParse(schema, jsonOf(token));
  if (parsed.success) return parsed.output;
  throw new SluiceError({
    code: "bad_token",
    status: 422,
    detail: `${JSON.stringify(token.slice(0, 80))} is no token of a page of this list.`,
    fix: "Give the `next` of the page before as it was, or no token for the first page.",
  });
}

function jsonOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

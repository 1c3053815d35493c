/*
 * Orders as they are written: `metrics.loss DESC`, ascending unless it is said.
 */
import { isWord, nameOf } from "./clauses.ts";
import { badSearch, shown } from "./fault.ts";
import { type Name, tokensOf } from "./lexer.ts";

export interface Order {
  readonly name: Name;
  readonly descending: boolean;
}

/** One element of order_by; `invalid_parameter` (400) for what is none. */
export function orderOf(text: string): Order {
  const [first, direction, ...rest] = tokensOf(text, "order_by");
  const name = nameOf(first);
  const known = direction === undefined || isWord(direction, "ASC") || isWord(direction, "DESC");
  if (name === null || !known || rest.length > 0) {
    throw badSearch(
      `Invalid order_by clause ${shown(text)}.`,
      "Give a key and ASC or DESC, such as metrics.loss DESC, one to an element.",
    );
  }
  return { name, descending: isWord(direction, "DESC") };
}

/*
 * Every code of an error: what it is called, what it means, what to do. /docs/errors is made from
 * this, a problem's `title` too, and a test holds it against the codes that the source throws.
 */
import { commandCodes } from "./codes/command.ts";
import { learnCodes } from "./codes/learn.ts";
import { marketCodes } from "./codes/market.ts";
import { requestCodes } from "./codes/request.ts";
import type { CodeRows } from "./codes/row.ts";
import { stateCodes } from "./codes/state.ts";
import { storeCodes } from "./codes/store.ts";
import { tableCodes } from "./codes/table.ts";
import { trackingCodes } from "./codes/tracking.ts";

export interface Code {
  readonly code: string;
  readonly title: string;
  readonly meaning: string;
  readonly remedy: string;
}

const rows: CodeRows = {
  ...requestCodes,
  ...stateCodes,
  ...trackingCodes,
  ...marketCodes,
  ...tableCodes,
  ...storeCodes,
  ...learnCodes,
  ...commandCodes,
};

/** Every code with what is told of it, in alphabetical order. */
export const codes: readonly Code[] = Object.entries(rows)
  .map(([code, [title, meaning, remedy]]) => ({ code, title, meaning, remedy }))
  .sort((a, b) => (a.code < b.code ? -1 : 1));

/** The title of a code; the code in words where it has no entry. */
export const titleOf = (code: string): string =>
  (Object.hasOwn(rows, code) ? rows[code]?.[0] : undefined) ?? code.replaceAll("_", " ");

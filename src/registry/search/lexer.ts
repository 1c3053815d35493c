/*
 * Filters and orders as tokens. There are no escapes: a text ends at the next quote of its kind.
 */
import { badSearch, shown } from "./fault.ts";

/** What a clause is about: `metrics.loss`, `` tags.`a b` ``, or a key alone. */
export interface Name {
  /** What stands before the first dot, or null. */
  readonly entity: string | null;
  readonly key: string;
}

export type Quote = "'" | '"' | "`";

interface Place {
  /** Where it begins and ends in the text. */
  readonly at: number;
  readonly end: number;
}

export type Token = Place &
  (
    | { readonly kind: "word"; readonly text: string; readonly name: Name }
    | { readonly kind: "quoted"; readonly text: string; readonly quote: Quote }
    | { readonly kind: "number"; readonly text: string }
    | { readonly kind: "sign"; readonly text: string }
  );

const SPACE = /\s+/y;
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_.])/uy;
const WORD = /[\p{L}_][\p{L}\p{N}\p{M}_./:-]*/uy;
const SIGN = /[<>!]=|[<>=(),]/y;
const QUOTED = /(['"`])([\s\S]*?)\1/y;

/** The tokens of a text in order; `invalid_parameter` (400) where one begins that there is none of. */
export function tokensOf(source: string, what: string): Token[] {
  // Half a character is none that a database could hold.
  const text = source.toWellFormed();
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp, from = at): RegExpExecArray | null => {
    pattern.lastIndex = from;
    return pattern.exec(text);
  };
  // The database cannot hold the character in any text, so nothing could ever match.
  if (text.includes("\0")) throw unreadable(what, text, text.indexOf("\0"));
  for (;;) {
    if (match(SPACE) !== null) at = SPACE.lastIndex;
    if (at === text.length) return tokens;
    const token = read();
    tokens.push(token);
    at = token.end;
  }

  function read(): Token {
    const number = match(NUMBER);
    if (number !== null) return { kind: "number", text: number[0], at, end: NUMBER.lastIndex };
    const word = match(WORD);
    if (word !== null) return wordOf(word[0], WORD.lastIndex);
    const quoted = match(QUOTED);
    if (quoted !== null) {
      const [, quote, content] = quoted as unknown as [string, Quote, string];
      return { kind: "quoted", text: content, quote, at, end: QUOTED.lastIndex };
    }
    const sign = match(SIGN);
    if (sign !== null) return { kind: "sign", text: sign[0], at, end: SIGN.lastIndex };
    throw unreadable(what, text, at);
  }

  /** A word; one that ends with its first dot goes on with the key in quotes. */
  function wordOf(word: string, end: number): Token {
    const dot = word.indexOf(".");
    if (dot === -1) return { kind: "word", text: word, name: { entity: null, key: word }, at, end };
    const entity = word.slice(0, dot);
    const bare = word.slice(dot + 1);
    if (bare !== "") return { kind: "word", text: word, name: { entity, key: bare }, at, end };
    const quoted = match(QUOTED, end);
    if (quoted === null || quoted[1] === "'" || quoted[2] === "") throw unreadable(what, text, end);
    const stop = QUOTED.lastIndex;
    const whole = text.slice(at, stop);
    return { kind: "word", text: whole, name: { entity, key: quoted[2]! }, at, end: stop };
  }
}

function unreadable(what: string, text: string, at: number) {
  const rest = text.slice(at);
  const open = /^['"`]/.test(rest) ? " (this quote is not closed)" : "";
  return badSearch(
    `Invalid clause(s) in ${what}: ${shown(text)} cannot be read at character ${at + 1}${open}.`,
    'Give keys bare or in `…` or "…", texts in \'…\' or "…", numbers bare.',
  );
}

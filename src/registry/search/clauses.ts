/*
 * Filters as clauses: comparisons joined by AND, and nothing else. What a clause may say of which
 * key is for `fields.ts` and `conditions.ts`.
 */
import { badSearch, shown } from "./fault.ts";
import { type Name, type Token, tokensOf } from "./lexer.ts";

export const OPERATORS = [
  ">",
  ">=",
  "<",
  "<=",
  "=",
  "!=",
  "LIKE",
  "ILIKE",
  "IN",
  "NOT IN",
  "IS NULL",
  "IS NOT NULL",
] as const;

export type Operator = (typeof OPERATORS)[number];

/** What a key is compared with; `word` is one that should have been quoted. */
export type Operand =
  | { readonly kind: "text" | "number" | "word"; readonly text: string }
  | { readonly kind: "texts"; readonly texts: readonly string[] }
  | { readonly kind: "none" };

export interface Clause {
  readonly name: Name;
  readonly operator: Operator;
  readonly operand: Operand;
  /** As it was written. */
  readonly text: string;
}

/** More would keep the database planning for longer than it searches. */
const CLAUSES = 60;

/** The clauses of a filter, none of an empty one; `invalid_parameter` (400) for what is no filter. */
export function clausesOf(filter: string): Clause[] {
  const tokens = tokensOf(filter, "filter string");
  const clauses: Clause[] = [];
  let next = 0;
  while (next < tokens.length) {
    if (clauses.length > 0) expectAnd();
    clauses.push(clause());
  }
  if (clauses.length <= CLAUSES) return clauses;
  throw badSearch(
    `The filter has ${clauses.length} clauses.`,
    `Use at most ${CLAUSES}, or search in several requests.`,
  );

  function expectAnd(): void {
    const token = tokens[next];
    if (!isWord(token, "AND")) throw invalid(token, "AND, or the end", tokens[next - 1]);
    next++;
  }

  function clause(): Clause {
    const first = tokens[next];
    const name = nameOf(first);
    if (first === undefined || name === null) throw invalid(first, "a key, such as metrics.loss");
    next++;
    const operator = operatorAt();
    const operand = operandAt(operator);
    return { name, operator, operand, text: filter.slice(first.at, tokens[next - 1]!.end) };
  }

  function operatorAt(): Operator {
    const token = tokens[next++];
    if (token?.kind === "sign" && isOperator(token.text)) return token.text;
    if (isWord(token, "LIKE")) return "LIKE";
    if (isWord(token, "ILIKE")) return "ILIKE";
    if (isWord(token, "IN")) return "IN";
    if (isWord(token, "NOT") && isWord(tokens[next], "IN")) {
      next++;
      return "NOT IN";
    }
    if (isWord(token, "IS")) {
      const not = isWord(tokens[next], "NOT");
      if (isWord(tokens[not ? next + 1 : next], "NULL")) {
        next += not ? 2 : 1;
        return not ? "IS NOT NULL" : "IS NULL";
      }
    }
    throw invalid(token, `one of ${OPERATORS.join(", ")}`);
  }

  function operandAt(operator: Operator): Operand {
    if (operator === "IS NULL" || operator === "IS NOT NULL") return { kind: "none" };
    if (operator === "IN" || operator === "NOT IN") return { kind: "texts", texts: textsAt() };
    const token = tokens[next++];
    if (token?.kind === "number") return { kind: "number", text: token.text };
    if (token?.kind === "quoted" && token.quote !== "`") return { kind: "text", text: token.text };
    if (token?.kind === "word" && !isWord(token, "AND")) return { kind: "word", text: token.text };
    throw invalid(token, "a text in quotes or a number");
  }

  /** `('a', "b")`: at least one text; a comma may stand behind the last, as Python writes it. */
  function textsAt(): string[] {
    const texts: string[] = [];
    sign("(");
    do {
      const token = tokens[next++];
      if (token?.kind !== "quoted" || token.quote === "`") {
        throw invalid(token, "a list of texts in quotes, such as ('a', 'b')");
      }
      texts.push(token.text);
      if (!isSign(tokens[next], ",")) break;
      next++;
    } while (!isSign(tokens[next], ")"));
    sign(")");
    return texts;
  }

  function sign(text: string): void {
    const token = tokens[next++];
    if (!isSign(token, text)) throw invalid(token, `"${text}"`);
  }

  function invalid(token: Token | undefined, accepted: string, from = token) {
    const at = token?.at ?? filter.trimEnd().length;
    const rest = filter.slice(from?.at ?? 0).trim();
    const found = token === undefined ? "the end" : shown(filter.slice(token.at, token.end));
    return badSearch(
      `Invalid clause(s) in filter string: ${shown(rest)}: at character ${at + 1} ` +
        `stands ${found}, expected ${accepted}.`,
      "Join comparisons by AND; there is no OR, no NOT before a clause and no parentheses.",
    );
  }
}

const isOperator = (text: string): text is Operator => OPERATORS.some((each) => each === text);

const isSign = (token: Token | undefined, text: string): boolean =>
  token?.kind === "sign" && token.text === text;

/** A key alone may be quoted too; in single quotes it is a text and no key. */
export function nameOf(token: Token | undefined): Name | null {
  if (token?.kind === "word") return token.name;
  if (token?.kind === "quoted" && token.quote !== "'") return { entity: null, key: token.text };
  return null;
}

/** Whether it is that word of the language, in whatever case; a key in quotes is none. */
export const isWord = (token: Token | undefined, word: string): boolean =>
  token?.kind === "word" && token.text.toUpperCase() === word;

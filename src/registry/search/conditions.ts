/*
 * Clauses as conditions of SQL. What the caller wrote only ever becomes a parameter.
 */
import { type SQL, sql } from "drizzle-orm";
import type { Clause, Operand } from "./clauses.ts";
import { badSearch, shown } from "./fault.ts";
import { type Field, HEAD, type Place, type Rows } from "./fields.ts";

/** The condition of a clause, looked up for each row (`statement.ts`). */
export function conditionOf(field: Field, clause: Clause): SQL {
  if (!("rows" in field)) return testOf(field, clause, field);
  const alias = sql`b`;
  const rows = field.rows(alias);
  const found = lookedUp(alias, rows);
  if (clause.operator === "IS NULL") return sql`not exists (select 1 from ${found})`;
  // The index holds beginnings for who has no row yet; here the whole is at hand.
  const test = testOf(field, clause, withoutHead(rows));
  return sql`exists (select 1 from ${found} where ${test})`;
}

const withoutHead = ({ value, nan }: Place): Place =>
  nan === undefined ? { value } : { value, nan };

/**
 * Rows beside the one that is searched, found by the key of their own table and in no other way:
 * `offset 0` keeps everything else from the planner.
 */
export const lookedUp = (alias: SQL, { from, link }: Pick<Rows, "from" | "link">): SQL =>
  sql`(select ${alias}.* from ${from} where ${link} offset 0) ${alias}`;

/** `invalid_parameter` (400) where the field has no such comparison with such a value. */
export function assertComparable(field: Field, clause: Clause): void {
  assertOperator(field, clause);
  const none = sql`null`;
  if (clause.operand.kind !== "none") testOf(field, clause, { value: none });
}

/** The comparison itself, of the value at a place; that there is one, where nothing is compared. */
export function testOf(field: Field, clause: Clause, place: Place): SQL {
  if (clause.operator === "IS NOT NULL") return sql`true`;
  if (field.kind === "text") return textTest(field, clause, place);
  const number =
    field.kind === "float"
      ? sql`${floatOf(clause)}::float8`
      : intOf(clause, field.quotable === true);
  const test = sql`${place.value} ${signs[clause.operator]!} ${number}`;
  if (place.nan === undefined) return test;
  // NaN is not equal to anything, and neither above nor below it.
  return clause.operator === "!="
    ? sql`(${place.nan} or ${test})`
    : sql`(not ${place.nan} and ${test})`;
}

/** Whether an index finds what fulfils the clause: an interval, or texts that begin so. */
export function isIndexed({ operator, operand }: Clause, { nan }: Place): boolean {
  if (nan !== undefined) return operator !== "!=";
  return operator === "=" || (operator === "LIKE" && beginning(operand) !== "");
}

const beginning = (operand: Operand): string =>
  operand.kind === "text" ? knownOf([...operand.text]) : "";

const signs: Readonly<Record<string, SQL>> = {
  ">": sql`>`,
  ">=": sql`>=`,
  "<": sql`<`,
  "<=": sql`<=`,
  "=": sql`=`,
  "!=": sql`<>`,
};

function assertOperator(field: Field, { operator, text }: Clause): void {
  if (field.operators.includes(operator)) return;
  throw badSearch(
    `Invalid comparator '${operator}' in ${shown(text)}.`,
    `Valid comparators there are ${field.operators.join(", ")}.`,
  );
}

function textTest(field: Field, clause: Clause, place: Place): SQL {
  const { value } = place;
  const stored = field.stored ?? ((text: string) => text);
  const { operator, operand } = clause;
  if (operand.kind === "texts") {
    const array = textArray(operand.texts.map(stored));
    return operator === "IN" ? sql`${value} = any(${array})` : sql`${value} <> all(${array})`;
  }
  const text = stored(textOf(clause, operand));
  if (operator === "=") return equals(place, text);
  if (operator === "!=") return sql`${value} <> ${text}`;
  if (operator === "LIKE") return like(place, text);
  return sql`${value} ilike ${unescaped(text)}`;
}

/** By the head where an index has it: for a short text that is the same. */
function equals({ value, head }: Place, text: string): SQL {
  if (head === undefined) return sql`${value} = ${text}`;
  const characters = [...text];
  if (characters.length < HEAD) return sql`${head} = ${text}`;
  return sql`(${head} = ${characters.slice(0, HEAD).join("")} and ${value} = ${text})`;
}

function like({ value, head }: Place, pattern: string): SQL {
  const whole = sql`${value} like ${unescaped(pattern)}`;
  const known = knownOf([...pattern]);
  if (head === undefined || known === "") return whole;
  const begins = sql`${head} like ${`${unescaped(known)}%`}`;
  return pattern === `${known}%` ? begins : sql`(${begins} and ${whole})`;
}

/** What stands before the first wildcard of a pattern, as far as the index goes. */
function knownOf(characters: readonly string[]): string {
  const wild = characters.findIndex((character) => character === "%" || character === "_");
  return characters.slice(0, Math.min(wild === -1 ? HEAD : wild, HEAD)).join("");
}

/** A backslash is a character like others: the grammar has no escapes, the database has. */
const unescaped = (pattern: string): string => pattern.replaceAll("\\", "\\\\");

/** An array of however many texts in one parameter. */
export const textArray = (texts: readonly string[]): SQL =>
  sql`array(select jsonb_array_elements_text(${JSON.stringify(texts)}::text::jsonb))`;

function textOf(clause: Clause, operand: Operand): string {
  if (operand.kind === "text") return operand.text;
  throw badSearch(
    `Expected a quoted string value in ${shown(clause.text)}.`,
    "Put the text in '…' or \"…\"; there are no escapes.",
  );
}

function floatOf(clause: Clause): string {
  if (clause.operand.kind === "number") return String(Number(clause.operand.text));
  throw badSearch(
    `Expected numeric value type in ${shown(clause.text)}.`,
    "Give a number without quotes, such as 0.5 or -1e10.",
  );
}

const INT64 = 2n ** 63n;

/** A number to compare whole numbers with; one that a bigint cannot hold is compared as decimal. */
function intOf({ operand, text }: Clause, quotable: boolean): SQL {
  if (operand.kind === "number" || (operand.kind === "text" && quotable)) {
    if (/^[+-]?\d{1,30}$/.test(operand.text)) {
      const whole = BigInt(operand.text);
      if (whole < INT64 && whole >= -INT64) return sql`${String(whole)}::bigint`;
    }
    const number = operand.kind === "number" ? Number(operand.text) : Number.NaN;
    if (Number.isFinite(number)) return sql`${String(number)}::numeric`;
  }
  throw badSearch(
    `Expected integer value type in ${shown(text)}.`,
    "Give a whole number without quotes, such as 1700000000000.",
  );
}

/*
 * Messages of the protocol. Its requests are protocol buffers written as JSON, with rules of their
 * own: numbers may be text, enumerations names or numbers, null and absent are the same, what is
 * not known is passed over. A field here is one such rule.
 */
import { isWithin64, type Whole, wholeOf } from "../../store/whole.ts";

/** What is wrong with a value, and where below the message. */
export interface Wrong {
  readonly [WRONG]: "missing" | "type" | "nul" | "range";
  /** From the message down to the value, in that order. */
  readonly keys: readonly (string | number)[];
}

const WRONG = Symbol("wrong");

export const wrongOf = (wrong: Wrong) => wrong[WRONG];

/** What a field holds, for those who tell of messages or make them up. */
export type Kind = "text" | "int64" | "double" | "bool" | "choice" | "message" | "list";

/** How a value is read: undefined is passed where it is absent. */
export interface Field<T> {
  read(value: unknown): T | Wrong;
  readonly kind: Kind;
  readonly isNeeded?: true;
  /** The names of a choice, the members of a message, the field of a list's items. */
  readonly names?: readonly string[];
  readonly fields?: Fields;
  readonly item?: Field<unknown>;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a message of these fields is once it is read. */
export type Message<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never;
};

const MISSING: Wrong = { [WRONG]: "missing", keys: [] };
const TYPE: Wrong = { [WRONG]: "type", keys: [] };
const NUL: Wrong = { [WRONG]: "nul", keys: [] };
const RANGE: Wrong = { [WRONG]: "range", keys: [] };

export const isWrong = (value: unknown): value is Wrong =>
  typeof value === "object" && value !== null && WRONG in value;

const below = (key: string | number, wrong: Wrong): Wrong => ({
  [WRONG]: wrong[WRONG],
  keys: [key, ...wrong.keys],
});

const optional = <T>(kind: Kind, read: (value: unknown) => T | Wrong): Field<T | undefined> => ({
  kind,
  read: (value) => (value === undefined || value === null ? undefined : read(value)),
});

/**
 * Text. A NUL is refused everywhere: the database cannot hold it. Halves of characters, which have
 * no UTF-8, become what they would be stored as.
 */
export const text = optional("text", (value) => {
  if (typeof value !== "string") return TYPE;
  if (value.includes("\0")) return NUL;
  return value.isWellFormed() ? value : value.toWellFormed();
});

const WHOLE = /^[+-]?\d{1,40}$/;

/**
 * A number beyond 2^53 is out of range here too, since it has lost digits: who has the text of its
 * JSON reads that again by `exactJson`.
 */
function wholeIn(value: unknown): Whole | Wrong {
  const whole = typeof value === "string" && WHOLE.test(value) ? wholeOf(value) : value;
  if (typeof whole === "bigint") return isWithin64(whole) ? whole : RANGE;
  if (!Number.isInteger(whole)) return TYPE;
  return Number.isSafeInteger(whole) ? (whole as number) + 0 : RANGE;
}

/** A whole number of 64 bits, also as text. */
export const int64 = optional("int64", wholeIn);

/** How many; beyond 2^53, where no limit is, as near as a number comes. */
export const count = optional("int64", (value) => {
  const whole = wholeIn(value);
  return typeof whole === "bigint" ? Number(whole) : whole;
});

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/** A number, also as text, also `"NaN"`, `"Infinity"` and `"-Infinity"`; true is 1. */
export const double = optional("double", (value) => {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : TYPE;
  if (typeof value !== "string") return TYPE;
  const special = SPECIAL.get(value);
  if (special !== undefined) return special;
  return DECIMAL.test(value) && Number.isFinite(Number(value)) ? Number(value) : TYPE;
});

/** True or false; an address has them as text, in any case. */
export const bool = optional("bool", (value) => {
  if (typeof value === "boolean") return value;
  const lower = typeof value === "string" ? value.toLowerCase() : "";
  return lower === "true" ? true : lower === "false" ? false : TYPE;
});

/** One of these names, or its number; a name that is not known counts as absent. */
export const choice = <const Name extends string>(names: Readonly<Record<Name, number>>) => {
  const byValue = new Map<unknown, Name>();
  for (const [name, number] of Object.entries<number>(names)) {
    byValue.set(name, name as Name);
    byValue.set(number, name as Name);
    byValue.set(String(number), name as Name);
  }
  const read = (value: unknown): Name | undefined | Wrong =>
    typeof value === "string" || typeof value === "number" ? byValue.get(value) : TYPE;
  return { ...optional("choice", read), names: Object.keys(names) };
};

/** A message within a message. */
export const message = <F extends Fields>(fields: F): Field<Message<F> | undefined> => ({
  ...optional("message", (value): Message<F> | Wrong =>
    typeof value === "object" && !Array.isArray(value)
      ? readMessage(fields, value as Readonly<Record<string, unknown>>)
      : TYPE,
  ),
  fields,
});

/** Any number of values; absent is none. Where an address has one, it is one value. */
export const list = <T>(field: Field<T | undefined>): Field<readonly T[]> => ({
  kind: "list",
  item: field,
  read: (value) => {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) return TYPE;
    const all: T[] = [];
    for (let i = 0; i < value.length; i++) {
      const one = field.read(value[i]);
      if (isWrong(one)) return below(i, one);
      // An enumeration's unknown name is dropped; null is no value of a list.
      if (one !== undefined) all.push(one);
      else if (value[i] === null) return below(i, TYPE);
    }
    return all;
  },
});

/** A value that must be there; empty text counts as absent. */
export const needed = <T>(field: Field<T>): Field<Exclude<T, undefined>> => ({
  ...field,
  isNeeded: true,
  read: (value) => {
    if (value === undefined || value === null || value === "") return MISSING;
    return field.read(value) as Exclude<T, undefined> | Wrong;
  },
});

/** Params and tags: keys that must be there, and values that need not. */
export const pairs = list(message({ key: needed(text), value: text }));

/** Whether a field takes several values, which an address has as one name several times. */
export const isList = (field: Field<unknown>): boolean => field.item !== undefined;

/** The message in these members, or the first thing that is wrong with it. */
export function readMessage<F extends Fields>(
  fields: F,
  members: Readonly<Record<string, unknown>>,
): Message<F> | Wrong {
  const read: Record<string, unknown> = {};
  for (const name in fields) {
    const value = fields[name]!.read(Object.hasOwn(members, name) ? members[name] : undefined);
    if (isWrong(value)) return below(name, value);
    read[name] = value;
  }
  return read as Message<F>;
}

/*
 * Whole numbers of 64 bits, as the database and MLflow's protocol have them: steps, times. Within
 * 2^53 they are numbers like all others; beyond, where a number would lose digits, bigints. The two
 * compare with each other as they are (`<`, `>`), and equal ones are always of the same kind.
 */

export type Whole = number | bigint;

const LIMIT = 2n ** 63n;
const DIGITS = /^-?\d+$/;

/** The whole number that a text of digits, a driver or JSON gives. */
export function wholeOf(value: string | number | bigint): Whole {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

/** Whether 64 bits hold it. */
export const isWithin64 = (value: bigint): boolean => value >= -LIMIT && value < LIMIT;

/** Whether a text is a whole number of 64 bits in digits. */
export const isWholeText = (text: string): boolean =>
  text.length <= 20 && DIGITS.test(text) && isWithin64(BigInt(text));

/** For orders: negative where `a` comes first. */
export const compareWholes = (a: Whole, b: Whole): number => (a < b ? -1 : a > b ? 1 : 0);

/** What a long number begins with, in an object or an array. */
const LONG = /[:,[\s-]\d{16}/;

type Revive = (key: string, value: unknown, context: { readonly source: string }) => unknown;

/** `JSON.parse` that keeps all digits of whole numbers; with long ones it takes several times as long. */
export function exactJson(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  const exact: Revive = (_, value, { source }) => {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
    const number = value as number;
    // Of 64 bits without a sign at most.
    if (Math.abs(number) > 2 ** 64) return number;
    return BigInt(DIGITS.test(source) ? source : number);
  };
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown);
}

/** Of ES2026, and not among the compiler's types yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): object };

/** The number as `JSON.stringify` takes it, which writes all digits then. */
export const jsonWhole = (value: Whole): number | object =>
  typeof value === "bigint" ? rawJSON(String(value)) : value;

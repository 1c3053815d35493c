/*
 * What keys and values may be, and how long, in the words that clients look for.
 */
import { posix } from "node:path";
import type { SluiceError } from "../../errors.ts";
import { RUN_ID } from "../../registry/names.ts";
import { badParameter } from "../../registry/refusal.ts";
import { invalidValue } from "./errors.ts";

const KEY_LIMIT = 250;
const PARAM_LIMIT = 6_000;
const TAG_LIMIT = 8_000;

const NAME = /^[/\p{L}\p{N}_.\- :]*$/u;

/** Most keys: nothing in them could be a path. */
const PLAIN = /^\w[\w\- ]{0,99}(?:\.[\w\- ]{1,99})?$/;

/** The key of a param, a metric or a tag; `path` names it in what is told of a bad one. */
export function checkedKey(key: string, path: string): string {
  if (PLAIN.test(key)) return key;
  if (!NAME.test(key)) {
    throw invalidValue(
      path,
      key,
      "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( )" +
        ", colon(:) and slashes (/).",
    );
  }
  const resolved = posix.normalize(key);
  if (resolved !== key || /^(?:\.$|\.\.|\/)/.test(key) || key.endsWith("/")) {
    throw invalidValue(
      path,
      key,
      "Names may be treated as files in certain cases, and must not resolve to other names when " +
        `treated as such. This name would resolve to '${resolved.replace(/(.)\/$/, "$1")}'`,
    );
  }
  return within(key, KEY_LIMIT, path);
}

/** `invalid_parameter` (400) where params of one request share a key. */
export function assertUnlike(params: readonly (readonly [key: string, value: string])[]): void {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const [key] of params) (seen.has(key) ? twice : seen).add(key);
  if (twice.size === 0) return;
  const keys = [...twice].map((key) => `'${key}'`).join(", ");
  throw badParameter(`Duplicate parameter keys have been submitted: [${keys}].`);
}

/** Text of at most so many characters. */
export function within(text: string, limit: number, path: string): string {
  if (text.length <= limit || lengthOf(text) <= limit) return text;
  throw tooLong(path, text, limit);
}

const tooLong = (path: string, text: string, limit: number): SluiceError =>
  invalidValue(
    path,
    text.slice(0, limit),
    `'${path}' exceeds the maximum length of ${limit} characters`,
  );

/** Characters as people count them: one beyond the 16 bits is one. */
const lengthOf = (text: string): number => [...text].length;

/** A param's value; what is too long is cut, as clients are used to. */
export const paramValue = (value: string | undefined): string => cut(value ?? "", PARAM_LIMIT);

/** A tag's value; what is too long is cut, as clients are used to. */
export const tagValue = (value: string | undefined): string => cut(value ?? "", TAG_LIMIT);

const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : [...text].slice(0, limit).join("");

/** The id of a run that is logged to. */
export function checkedRunId(id: string): string {
  if (RUN_ID.test(id)) return id;
  throw badParameter(`Invalid run ID: '${id.slice(0, 300)}'`);
}

/*
 * Errors as the protocol tells them: a kind and a sentence. Its client decides by the kind, and
 * sends again for minutes whatever comes as 429, 408 or a 5xx: none of these may be the answer to a
 * mistake of its user.
 */
import { SluiceError } from "../../errors.ts";
import { badParameter } from "../../registry/refusal.ts";
import { headersOf, type ProblemOptions } from "../problem.ts";
import { type Wrong, wrongOf } from "./message.ts";

const MLFLOW =
  /^[a-z]+:\/\/[^/?#]*\/+(?:(?:ajax-)?api\/|model-versions\/|(?:get-artifact|health|version|graphql)(?:[?#]|$))/;

/** Whether an address is one of the protocol. */
export const isMlflow = (url: string): boolean => MLFLOW.test(url);

/** Kinds of codes that say more than their status does. */
const KINDS: Readonly<Record<string, string>> = {
  already_exists: "RESOURCE_ALREADY_EXISTS",
  wrong_state: "INVALID_STATE",
  not_supported: "NOT_IMPLEMENTED",
  unknown_route: "ENDPOINT_NOT_FOUND",
  method_not_allowed: "ENDPOINT_NOT_FOUND",
};

const BY_STATUS: Readonly<Record<number, string>> = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "RESOURCE_DOES_NOT_EXIST",
  409: "RESOURCE_CONFLICT",
  429: "REQUEST_LIMIT_EXCEEDED",
  501: "NOT_IMPLEMENTED",
  503: "TEMPORARILY_UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/**
 * The answer that tells of an error. What is unprocessable here (422) is bad there (400). The id of
 * the request is among the headers alone: some clients compare the whole body.
 */
export function mlflowError(error: SluiceError, options: ProblemOptions): Response {
  const status = error.status === 422 ? 400 : error.status;
  const usual = status < 500 ? "INVALID_PARAMETER_VALUE" : "INTERNAL_ERROR";
  const body = {
    error_code: KINDS[error.code] ?? BY_STATUS[status] ?? usual,
    message: error.fix === "" ? error.message : `${error.message} ${error.fix}`,
    ...(options.simulated ? { simulated: true } : {}),
  };
  const headers = headersOf(error, "application/json", options);
  return new Response(JSON.stringify(body), { status, headers });
}

const MORE = " See the API docs for more information about request parameters.";

/** What is wrong with a message, as the protocol says it. `source`: the JSON that it was. */
export function faultOf(wrong: Wrong, members: unknown, source: string | null): SluiceError {
  const path = pathOf(wrong.keys);
  const what = wrongOf(wrong);
  if (what === "missing") {
    return badParameter(`Missing value for required parameter '${path}'.${MORE}`);
  }
  const written = source === null ? undefined : valueAt(exactly(source), wrong.keys);
  // A part of the address is no part of the JSON.
  const value = written ?? valueAt(members, wrong.keys);
  if (what === "range") {
    return invalidValue(
      path,
      value,
      `It is no whole number of 64 bits (-2^63 to 2^63 - 1).${MORE}`,
    );
  }
  if (what === "nul") return invalidValue(path, value, "It holds a NUL character.");
  return invalidValue(path, value, ` Hint: Value was of type '${typeOf(value)}'.${MORE}`);
}

/** `Invalid value 5 for parameter 'p' supplied: why`, as clients look for it. */
export const invalidValue = (path: string, value: unknown, why: string): SluiceError =>
  badParameter(`Invalid value ${shown(value)} for parameter '${path}' supplied: ${why}`);

const pathOf = (keys: readonly (string | number)[]): string =>
  keys.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");

/** A number as it was written: 9.0 is no 9 where the type of a value is told. */
interface Written {
  readonly [WRITTEN]: string;
}
const WRITTEN = Symbol("written");
const isWritten = (value: unknown): value is Written =>
  typeof value === "object" && value !== null && WRITTEN in value;

type Revive = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

function exactly(source: string): unknown {
  const keep: Revive = (_, value, { source: digits }) =>
    typeof value === "number" ? { [WRITTEN]: digits ?? String(value) } : value;
  const parsed: unknown = JSON.parse(source, keep as (key: string, value: unknown) => unknown);
  return typeof parsed === "string" ? exactly(parsed) : parsed;
}

const valueAt = (from: unknown, keys: readonly (string | number)[]): unknown => {
  let value = from;
  for (const key of keys) value = (value as Record<string | number, unknown> | undefined)?.[key];
  return value;
};

const SHOWN = 1_000;

/** Compact JSON with sorted names in ASCII, and no longer than is of use. */
function shown(value: unknown): string {
  const json = jsonOf(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return json.length > SHOWN ? `${json.slice(0, SHOWN)}…` : json;
}

function jsonOf(value: unknown): string {
  if (isWritten(value)) return value[WRITTEN];
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, of]) => `${JSON.stringify(name)}:${jsonOf(of)}`).join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** What the protocol's own language calls the type. */
function typeOf(value: unknown): string {
  if (isWritten(value)) return /[.eE]/.test(value[WRITTEN]) ? "float" : "int";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  if (typeof value === "string") return "str";
  if (typeof value === "boolean") return "bool";
  return value === null || value === undefined
    ? "NoneType"
    : Array.isArray(value)
      ? "list"
      : "dict";
}

/** Nothing of the protocol answers there; its client then tries an older way. */
export const noEndpoint = (method: string, path: string): SluiceError =>
  new SluiceError({
    code: "unknown_route",
    status: 404,
    detail: `No endpoint of the MLflow protocol answers to ${method} ${path.slice(0, 200)}.`,
    fix: "docs/mlflow.md lists those that there are.",
  });

export const noMethod = (method: string, path: string, allowed: string): SluiceError =>
  new SluiceError({
    code: "method_not_allowed",
    status: 405,
    detail: `${method} is no method of ${path.slice(0, 200)}.`,
    fix: `Use ${allowed}.`,
    headers: { allow: allowed },
  });

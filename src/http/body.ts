/*
 * Reading a body: not more than the limit, not longer than the deadline, and as exactly the JSON
 * that it claims to be. A client that sends one byte a second holds nothing but its own socket.
 */
import * as v from "valibot";
import { type Fault, reasonOf, SluiceError } from "../errors.ts";
import { type Alarm, alarms } from "./alarms.ts";
import { faultsOf } from "./fields.ts";
import type { Schema } from "./route.ts";

export const BODY_LIMIT = 8 * 1024 * 1024;
const BODY_DEADLINE_MS = 10_000;

const TOO_LATE = Symbol("too late");

/** The whole body; `body_too_large` (413), `slow_body` (408), `body_cut` (400). */
export function readBytes(
  request: Request,
  { limit = BODY_LIMIT, deadlineMs = BODY_DEADLINE_MS } = {},
): Promise<Uint8Array> {
  try {
    // No more than was announced can come; a reader would take longer than all else together, and
    // to look at `body` makes one.
    if (checkHead(request, limit) !== null) return whole(request, deadlineMs);
    if (request.body === null) return Promise.resolve(new Uint8Array());
    return gather(request.body.getReader(), limit, deadlineMs);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

const whole = (request: Request, deadlineMs: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const alarm = alarms.set(deadlineMs, () => reject(slow(null, deadlineMs)));
    request.bytes().then(
      (bytes) => {
        alarms.clear(alarm);
        resolve(bytes);
      },
      (thrown) => {
        alarms.clear(alarm);
        reject(broken(thrown));
      },
    );
  });

async function gather(
  reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">,
  limit: number,
  deadlineMs: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let alarm: Alarm | undefined;
  const late = new Promise<typeof TOO_LATE>((resolve) => {
    alarm = alarms.set(deadlineMs, () => resolve(TOO_LATE));
  });
  try {
    for (;;) {
      const next = await Promise.race([reader.read().catch(cut), late]);
      if (next === TOO_LATE) throw slow(size, deadlineMs);
      if (next.done) break;
      size += next.value.byteLength;
      if (size > limit) throw tooLarge(limit);
      chunks.push(next.value);
    }
  } catch (thrown) {
    // Nobody waits for the rest; whether the cancelling works changes nothing.
    reader.cancel().catch(() => {});
    throw thrown;
  } finally {
    alarms.clear(alarm!);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Refuses a body that is compressed or too large by its headers; the length that they tell. */
export function checkHead({ headers }: Request, limit: number): number | null {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") throw wrongEncoding(encoding);
  const length = headers.get("content-length");
  if (length === null) return null;
  if (Number(length) > limit) throw tooLarge(limit);
  return Number(length);
}

/**
 * The media type without parameters, in lower case; "" without one. A charset other than UTF-8
 * is `unsupported_media_type` (415).
 */
export function mediaType(request: Request): string {
  const given = request.headers.get("content-type") ?? "";
  if (given === "application/json") return given;
  const [type = "", ...parameters] = given.split(";");
  for (const parameter of parameters) {
    const [key = "", value = ""] = parameter.split("=").map((part) => part.trim().toLowerCase());
    if (key === "charset" && !/^"?utf-?8"?$/.test(value)) {
      throw unsupportedMedia(`charset ${value}`, ["UTF-8"]);
    }
  }
  return type.trim().toLowerCase();
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes as text; `bad_encoding` (400) when they are not UTF-8. A BOM is left out. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new SluiceError({
      code: "bad_encoding",
      status: 400,
      detail: "The body is not UTF-8.",
      fix: "Send the text in UTF-8.",
      cause,
    });
  }
}

/** Bytes as JSON; `bad_json` (400). NaN and Infinity are no JSON, and neither are comments. */
export const jsonOf = (bytes: Uint8Array): unknown => jsonOfText(textOf(bytes));

/** The same of a text, by another parser that throws as `JSON.parse` does. */
export function jsonOfText(text: string, parse: (text: string) => unknown = JSON.parse): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const reason = reasonOf(cause).replace(/^JSON Parse error: /, "");
    throw new SluiceError({
      code: "bad_json",
      status: 400,
      detail: text.trim() === "" ? "The body is empty." : `The body is no JSON: ${reason}.`,
      fix: "Send one JSON object; numbers that are not finite cannot be written in JSON.",
      cause,
    });
  }
}

/** The JSON body checked by the schema, {} when it is empty; every fault is listed (422). */
export function checkedBody(schema: Schema, request: Request, bytes: Uint8Array): unknown {
  let value: unknown = {};
  if (bytes.byteLength > 0) {
    const type = mediaType(request);
    if (type !== "application/json") throw unsupportedMedia(type, ["application/json"]);
    value = jsonOf(bytes);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw invalid("invalid_body", "The body", faultsOf(parsed.issues));
}

/** How much of a name that a client made up is told back. */
const PATH_SHOWN = 200;

/** A 422 that lists every fault; the sentence names the first few. */
export function invalid(code: string, what: string, given: readonly Fault[]): SluiceError {
  const faults = given.map(({ path, message }) => ({ path: path.slice(0, PATH_SHOWN), message }));
  const told = faults
    .slice(0, 3)
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  const more = faults.length > told.length ? `; and ${faults.length - told.length} more` : "";
  return new SluiceError({
    code,
    status: 422,
    detail: `${what} is not accepted: ${told.join("; ")}${more}.`,
    fix: "Correct what `faults` lists; /docs shows what is accepted.",
    faults,
  });
}

/** A media type or charset that the route does not read (415). */
export const unsupportedMedia = (given: string, accepted: readonly string[]): SluiceError =>
  new SluiceError({
    code: "unsupported_media_type",
    status: 415,
    detail:
      given === ""
        ? "The body has no Content-Type."
        : `A body of "${given.slice(0, 80)}" is not read here.`,
    fix: `Send ${accepted.join(" or ")} and say so in Content-Type.`,
  });

const wrongEncoding = (encoding: string): SluiceError =>
  new SluiceError({
    code: "unsupported_media_type",
    status: 415,
    detail: `Content-Encoding "${encoding.slice(0, 80)}" is not read here.`,
    fix: "Send the body as it is, without compression.",
  });

export const tooLarge = (limit: number): SluiceError =>
  new SluiceError({
    code: "body_too_large",
    status: 413,
    detail: `The body is larger than ${limit} bytes.`,
    fix: "Send it in several requests; a table in several files, each with its header.",
  });

const slow = (size: number | null, deadlineMs: number): SluiceError =>
  new SluiceError({
    code: "slow_body",
    status: 408,
    detail:
      size === null
        ? `After ${deadlineMs / 1000} s the body had not come whole.`
        : `After ${deadlineMs / 1000} s only ${size} bytes of the body had come.`,
    fix: "Send the body at once.",
  });

/** What a body is that broke off. */
export function cut(cause: unknown): never {
  throw broken(cause);
}

const broken = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "body_cut",
    status: 400,
    detail: `The body ended early: ${reasonOf(cause)}.`,
    fix: "Send the request again.",
    cause,
  });

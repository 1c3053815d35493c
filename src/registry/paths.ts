/*
 * Paths below the root of the proxy of files, as clients give them.
 */
import { badParameter } from "./refusal.ts";

/** Names in a database's index are bounded. */
const PATH_BYTES = 1_500;
/** A path as it is given, and what ten rounds of decoding make of it. */
const FORMS = 11;

/**
 * The path under which a file is kept. It is given decoded once, as an address is, and kept as every
 * client reads it (`readable`). `invalid_parameter` (400) where what was given, or what anybody who
 * decodes it again would read, could mean a place outside the root.
 */
export function safePath(given: string): string {
  const forms = decodings(renamed(given));
  // Who hides a path deeper hides something.
  if (/\p{Cc}/u.test(given) || forms.length > FORMS || forms.some(isUnsafe)) {
    throw badParameter("Invalid path");
  }
  const path = readable(given);
  if (Buffer.byteLength(path) <= PATH_BYTES) return path;
  throw badParameter(`Invalid path: it has more than ${PATH_BYTES} bytes`);
}

/**
 * A path without escapes, but for those of control characters; without empty segments and those of
 * one dot.
 */
export const readable = (path: string): string =>
  decodings(renamed(path))
    .at(-1)!
    .replace(/\p{Cc}/gu, encodeURIComponent)
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");

/** What clients before 3.0 call an image that they log by a key and a step. */
const IMAGE = /(?<=^|\/)([\w\-. ]+)%step%(-?\d+)%timestamp%(\d+)%([\da-z-]+)(%compressed)?(\.\w+)$/;

/**
 * With the name of such an image as clients since 3.0 give it, `key+step+23+timestamp+…`: in theirs
 * `%23` and others are escapes for everybody who reads it, and clients refuse to list a `#`.
 */
const renamed = (path: string): string =>
  path.replace(IMAGE, (_, key, step, time, id, compressed, ending) =>
    [key, "step", step, "timestamp", time, id, ...(compressed === undefined ? [] : ["compressed"])]
      .join("+")
      .concat(ending),
  );

/** A path that names a file: the root is none. */
export function filePath(given: string): string {
  const path = safePath(given);
  if (path === "") throw badParameter("Invalid path");
  return path;
}

const isUnsafe = (path: string): boolean =>
  /[#\\\0]/.test(path) ||
  !path.isWellFormed() ||
  path.startsWith("/") ||
  // Drives, and addresses of other places.
  /^[a-z]:/i.test(path) ||
  /^[a-z][a-z0-9+.-]*:\//i.test(path) ||
  /^file:/i.test(path) ||
  path.split("/").includes("..");

/** The text, and what decoding makes of it again and again until nothing changes. */
function decodings(text: string): string[] {
  const forms = [text];
  for (let form = text; forms.length <= FORMS; forms.push(form)) {
    const next = decoded(form);
    if (next === form) break;
    form = next;
  }
  return forms;
}

/** Without one layer of escapes, those that are none left as they are. */
const decoded = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes.replace(/%([0-7][0-9a-f])/gi, (_, hex) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      );
    }
  });

/** The last segment of a path, of either kind of system. */
export const nameOf = (path: string): string => path.split(/[/\\]/).at(-1)!;

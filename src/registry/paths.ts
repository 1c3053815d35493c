/*
 * Paths below the root of the proxy of files, as clients give them.
 */
import { badParameter } from "./refusal.ts";

/** Names in a database's index are bounded. */
const PATH_BYTES = 1_500;
const ROUNDS = 10;

/**
 * The path that was given (decoded once, as an address is), tidied: no empty segments, none of one
 * dot. `invalid_parameter` (400) where it, or what anybody who decodes it again would read, could
 * mean a place outside the root.
 */
export function safePath(given: string): string {
  // Only what is kept may hold none: clients before 3.0 name images `key%step%1%timestamp%1795…`.
  if (/\p{Cc}/u.test(given)) throw badParameter("Invalid path");
  let form = given;
  for (let round = 0; ; round++) {
    if (isUnsafe(form)) throw badParameter("Invalid path");
    const next = decoded(form);
    if (next === form) break;
    // Who hides a path so deep hides something.
    if (round === ROUNDS) throw badParameter("Invalid path");
    form = next;
  }
  const path = tidy(given);
  if (Buffer.byteLength(path) <= PATH_BYTES) return path;
  throw badParameter(`Invalid path: it has more than ${PATH_BYTES} bytes`);
}

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

const tidy = (path: string): string =>
  path
    .split("/")
    .filter((segment) => segment !== "" && segment !== ".")
    .join("/");

/** The last segment of a path, of either kind of system. */
export const nameOf = (path: string): string => path.split(/[/\\]/).at(-1)!;

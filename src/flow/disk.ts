/*
 * A disk without room: it passes when somebody makes room, so what met it is tried again.
 */
import { SluiceError } from "../errors.ts";

/** What the system says of it, in an error's code or in what a child process printed. */
const FULL = /\b(ENOSPC|EDQUOT)\b/;

/** `disk_full` (503, try again) where an error or its text tells of it, else null. */
export function diskFull(told: unknown, folder: string): SluiceError | null {
  const text = typeof told === "string" ? told : String((told as { code?: unknown })?.code ?? "");
  if (!FULL.test(text)) return null;
  return new SluiceError({
    code: "disk_full",
    status: 503,
    detail: `There is no room left for ${folder}.`,
    fix: "Make room on the disk of SLUICE_DATA; it is tried again.",
    retryAfter: 10,
    cause: told,
  });
}

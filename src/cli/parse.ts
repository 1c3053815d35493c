/*
 * Option values, checked while the command line is read: a wrong one is a usage error that names
 * the value and what is accepted.
 */
import { InvalidArgumentError } from "commander";
import { SCOPES } from "../store/token.ts";
import { type Instant, UNIT_MS } from "../types.ts";

/** A UTC day `2024-01-01` or an instant `2024-01-01T04:00:00Z`. */
export function parseDate(text: string): Instant {
  const form = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?Z)?$/;
  const instant = form.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse takes 31 February for 2 March; a day that does not exist is a mistake.
  const exists =
    Number.isFinite(instant) && new Date(instant).toISOString().startsWith(text.slice(0, 10));
  if (exists && instant < Date.now() + UNIT_MS) return instant;
  throw new InvalidArgumentError("Expected a UTC day in the past such as 2024-01-01.");
}

/** A parser of whole numbers from `min` to `max`. */
export function parseWhole(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };
}

/** Scopes one by one or separated by commas, added to those before. */
export function parseScopes(text: string, before: readonly string[] = []): readonly string[] {
  const scopes = text.split(",").map((part) => part.trim());
  for (const scope of scopes) {
    if ((SCOPES as readonly string[]).includes(scope)) continue;
    throw new InvalidArgumentError(`Expected one of ${SCOPES.join(", ")}.`);
  }
  return [...new Set([...before, ...scopes])];
}

/** What rows are for. */
export function parsePart(text: string): "train" | "test" {
  if (text === "train" || text === "test") return text;
  throw new InvalidArgumentError("Expected train or test.");
}

/** A share from 0 to below 1, such as 0.0005. */
export function parseShare(text: string): number {
  const share = /^\d*\.?\d+(e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (share >= 0 && share < 1) return share;
  throw new InvalidArgumentError("Expected a share from 0 to below 1, such as 0.0005.");
}

/** The address of a Postgres. */
export function parsePostgres(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError("Expected an address such as postgres://user@host/name.");
}

/*
 * Which version of which model an address means: `btc` (its champion), `btc@3`, `btc@challenger`.
 */

export interface Ref {
  readonly model: string;
  /** The number of a version or the name of an alias; null for the champion. */
  readonly version: string | null;
}

/** Reads a reference that has been found to have the form of one (params.ts). */
export function refOf(text: string): Ref {
  const at = text.indexOf("@");
  if (at === -1) return { model: text, version: null };
  return { model: text.slice(0, at), version: text.slice(at + 1) };
}

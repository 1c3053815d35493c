/*
 * What registered models, their versions, tags and aliases may be called.
 */
import { aliasName } from "../../registry/names.ts";
import { badParameter } from "../../registry/refusal.ts";
import type { Pair } from "../../registry/registered.ts";
import { invalidValue } from "./errors.ts";
import { checkedKey, within } from "./names.ts";

const NAME_LIMIT = 256;
const TAG_LIMIT = 100_000;

/** The name of a model that is made or renamed; `path` names it in what is told of a bad one. */
export function registeredName(name: string, path: string): string {
  if (name.trim() === "") throw badParameter("Registered model name cannot be empty.");
  if (/[/:]/.test(name)) {
    throw invalidValue(path, name, "Names of registered models have no / and no colon.");
  }
  if (name === "." || name === "..") throw invalidValue(path, name, "It could mean a folder.");
  return within(name, NAME_LIMIT, path);
}

/** The number of a version, which the protocol has as text. */
export function versionNumber(version: string): number {
  if (/^\d+$/.test(version)) return Number(version);
  throw badParameter(`Parameter 'version' must be an integer, got '${version.slice(0, 80)}'.`);
}

/** An alias that may be set. */
export function checkedAlias(alias: string): string {
  within(alias, 255, "alias");
  if (/^latest$/i.test(alias)) throw badParameter("The alias 'latest' is reserved.");
  if (/^v\d+$/i.test(alias))
    throw badParameter(`The alias '${alias}' is reserved: it reads as a version.`);
  if (!/^[\w-]+$/.test(alias)) {
    throw badParameter(`Invalid alias name: '${alias}'. Use letters, digits, _ and -.`);
  }
  return aliasName(alias);
}

/** A tag of a model or version; what is too long is refused. */
export const registryTag = (key: string, value: string | undefined, path: string): Pair => [
  checkedKey(key, path),
  within(value ?? "", TAG_LIMIT, "value"),
];

/** Tags by key: of two with the same, the last. */
export const registryTags = (
  tags: readonly { readonly key: string; readonly value: string | undefined }[],
): Pair[] => [
  ...new Map(tags.map(({ key, value }, i) => registryTag(key, value, `tags[${i}].key`))),
];

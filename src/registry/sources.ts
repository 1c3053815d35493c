/*
 * Where a version's files are, as clients name it. Such an address is text that is compared, never
 * a place that is fetched from: only files that were brought here are ever read.
 */
import type { SluiceError } from "../errors.ts";
import { MODEL_NAME } from "../models.ts";
import { decodings, RUN_ID } from "./names.ts";
import { readable } from "./paths.ts";
import { badParameter } from "./refusal.ts";

const SOURCE_LIMIT = 2_048;

/** Files that are kept here: below a path of a run, or below the root of the proxy. */
export type Place =
  | { readonly of: "run"; readonly runId: string; readonly path: string }
  | { readonly of: "proxy"; readonly path: string };

/** `invalid_parameter` (400) for what could mean another place once somebody decodes or joins it. */
export function assertPlain(source: string): void {
  if (source.length > SOURCE_LIMIT)
    throw badSource(source, `It has more than ${SOURCE_LIMIT} characters.`);
  for (const form of decodings(source)) {
    if (/\p{Cc}/u.test(form)) throw badSource(source, `${ABSOLUTE} It has a control character.`);
    if (form.split(/[/\\?#;&=]/).some((segment) => segment === ".." || segment === ".")) {
      throw badSource(source, `${ABSOLUTE} It has a segment of dots.`);
    }
  }
}

/** The source itself, where it is a plain one and no path of this machine's disk. */
export function checkedSource(source: string): string {
  assertPlain(source);
  if (!/^[a-z][a-z0-9+.-]+:/i.test(source) || /^file:/i.test(source)) {
    throw badParameter(
      `Invalid model version source: '${shown(source)}'. To use a local path as a model version ` +
        "source, it would have to be a file that this server keeps. Log the model to a run " +
        "first, and register runs:/<run_id>/<path> or models:/<model_id>.",
    );
  }
  return source;
}

const ABSOLUTE =
  "If supplying a source as an http, https, ftp, object store or mlflow-artifacts address, give an " +
  "absolute one.";

const badSource = (source: string, why: string): SluiceError =>
  badParameter(`Invalid model version source: '${shown(source)}'. ${why}`);

/** Without what would break a line, and no longer than is of use. */
const shown = (text: string): string => text.replace(/\p{Cc}/gu, "?").slice(0, 300);

/** What another source is registered from, or null where it is files. */
export function sourceModel(
  source: string,
): { readonly modelId: string } | { readonly name: string; readonly version: number } | null {
  const logged = /^models:\/+(m-[\w-]{1,255})\/?$/.exec(source)?.[1];
  if (logged !== undefined) return { modelId: logged };
  const [, name, version] = /^models:\/+([^/]+)\/(\d{1,9})\/?$/.exec(source) ?? [];
  if (name === undefined || version === undefined) return null;
  return { name, version: Number(version) };
}

/** The place that an address means, or null where its files are not kept here. */
export function placeOf(location: string): Place | null {
  const run = /^runs:\/+([^/]+)((?:\/.*)?)$/s.exec(location);
  if (run !== null) {
    const runId = run[1]!;
    return RUN_ID.test(runId) ? { of: "run", runId, path: readable(run[2]!) } : null;
  }
  const path = proxyPath(location);
  return path === null ? null : { of: "proxy", path };
}

/** The path below the root of the proxy of files, or null for an address that is none of it. */
export function proxyPath(location: string): string | null {
  const proxied = /^mlflow-artifacts:(?:\/\/[^/?#]*)?\/*([^?#]*)/.exec(location);
  return proxied === null ? null : readable(proxied[1]!);
}

/** Whether the routes that serve models can have the name in their addresses. */
export const isServableName = (name: string): boolean => MODEL_NAME.test(name);

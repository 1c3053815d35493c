/*
 * Names in addresses. Each is checked before a handler sees it, and none ever becomes part of a
 * path of a disk or a bucket.
 */
import { SluiceError } from "../errors.ts";
import { MODEL_NAME } from "../models.ts";
import { MARKET } from "./fields.ts";

interface Form {
  readonly pattern: RegExp;
  readonly accepted: string;
}

const named: Form = { pattern: MODEL_NAME, accepted: `a name that matches ${MODEL_NAME.source}` };
const id: Form = { pattern: /^[0-9a-f-]{32,36}$/, accepted: "an id as the list of runs has it" };

const VERSION = /[1-9]\d{0,9}|[a-z][\w-]{0,62}/;

const forms: Readonly<Record<string, Form>> = {
  model: named,
  // By number or alias, as the registry names aliases.
  version: {
    pattern: new RegExp(`^(?:${VERSION.source})$`),
    accepted: "the number of a version, or an alias",
  },
  ref: {
    pattern: new RegExp(`${MODEL_NAME.source.slice(0, -1)}(?:@(?:${VERSION.source}))?$`),
    accepted: "the name of a model, alone or with @ and the number or the alias of a version",
  },
  pipeline: named,
  token: named,
  market: { pattern: MARKET, accepted: "a market such as KRW-BTC" },
  run: id,
  // Judged by the registry, which knows what a path of an artifact may be.
  path: { pattern: /^[\s\S]*$/, accepted: "the path of an artifact" },
};

/** The form of a parameter, which `paramNames` has found. */
export const formOf = (name: string): Form => forms[name]!;

/** The names of a path's parameters; throws where one has no form that it could be checked by. */
export function paramNames(path: string): string[] {
  const names = [...path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
  for (const name of names) {
    if (!Object.hasOwn(forms, name)) throw new Error(`${path}: no form is known of :${name}`);
  }
  return names;
}

/** The parameters by name; `bad_name` (422) lists those that no such name could be. */
export function checkedParams(
  names: readonly string[],
  valueAt: (name: string) => string | undefined,
): Record<string, string> {
  const params: Record<string, string> = {};
  for (const name of names) {
    const value = valueAt(name) ?? "";
    const form = forms[name]!;
    if (!form.pattern.test(value)) throw badName(name, value, form.accepted);
    params[name] = value;
  }
  return params;
}

function badName(name: string, value: string, accepted: string): SluiceError {
  const shown = JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  return new SluiceError({
    code: "bad_name",
    status: 422,
    detail: `${shown} in the address is no name of a ${name}.`,
    fix: `Give ${accepted}.`,
    faults: [{ path: name, message: `expected ${accepted}` }],
  });
}

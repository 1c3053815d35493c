/*
 * What may be called how. Names end up in addresses, in listings and in other people's tools;
 * none of them ever becomes part of a path of a disk or a bucket (there, only digests do).
 */
import { SluiceError } from "../errors.ts";
import { MODEL_NAME } from "../models.ts";

/** The name itself, or `bad_name` (422) when no model may be called so. */
export function modelName(name: string): string {
  if (MODEL_NAME.test(name)) return name;
  throw new SluiceError({
    code: "bad_name",
    status: 422,
    detail: `${shown(name)} is no name for a model.`,
    fix: `Use a name that matches ${MODEL_NAME.source}, such as btc or income_50k.`,
  });
}

/** The alias itself, or `bad_alias` (422): `latest` and `v3` would read as versions. */
export function aliasName(alias: string): string {
  if (/^[\w-]{1,255}$/.test(alias) && !/^(latest|v\d+)$/i.test(alias)) return alias;
  throw new SluiceError({
    code: "bad_alias",
    status: 422,
    detail: `${shown(alias)} is no name for an alias.`,
    fix: "Use letters, digits, _ and -, at most 255; not latest and not v with a number.",
  });
}

/** The key itself, or `bad_key` (422): of a param, a metric or a tag, in MLflow's characters. */
export function trackingKey(key: string): string {
  if (/^[/\p{L}\p{N}_.\- :]{1,250}$/u.test(key)) return key;
  throw new SluiceError({
    code: "bad_key",
    status: 422,
    detail: `${shown(key)} is no key for a param, a metric or a tag.`,
    fix: "Use letters, digits, space and _ . - / : at most 250 of them.",
  });
}

/** What the id of a run looks like: ours are 32 hex digits, others may bring their own. */
export const RUN_ID = /^[a-zA-Z0-9][\w-]{0,255}$/;

const PATH_LIMIT = 500;

/** The path of a file in a run, or `bad_path` (422) when it could mean a place outside the run. */
export function artifactPath(path: string): string {
  const reason = faultOfPath(path);
  if (reason === null) return path;
  throw new SluiceError({
    code: "bad_path",
    status: 422,
    detail: `${shown(path)} is no path of an artifact: ${reason}.`,
    fix: `Use a relative path such as plots/roc.png, at most ${PATH_LIMIT} characters.`,
  });
}

function faultOfPath(path: string): string | null {
  if (path === "") return "it is empty";
  if (path.length > PATH_LIMIT) return `it has ${path.length} characters`;
  // Whoever hands the path on may decode it again, so what it could turn into is judged too.
  for (const form of decodings(path)) {
    if (/\p{Cc}/u.test(form)) return "it holds a control character";
    if (/[\\#]/.test(form)) return "it holds a \\ or a #";
    if (form.startsWith("/") || /^[a-z][a-z0-9+.-]*:/i.test(form)) return "it is not relative";
    const segments = form.split("/");
    if (segments.some((segment) => segment === ".." || segment === ".")) {
      return "it has a segment of dots";
    }
    if (segments.includes("")) return "it has an empty segment";
  }
  return null;
}

/** The text and what decoding its %-escapes of ASCII makes of it, again until nothing changes. */
export function decodings(text: string): string[] {
  const forms = [text];
  // Each round shortens the text; the limit on its length bounds the rounds.
  for (;;) {
    const last = forms.at(-1)!;
    const next = last.replace(/%([0-7][0-9a-f])/gi, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (next === last) return forms;
    forms.push(next);
  }
}

/** Quoted, with escapes, and no longer than a line. */
const shown = (text: string): string =>
  JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

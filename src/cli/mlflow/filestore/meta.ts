/*
 * `meta.yaml` as MLflow writes it, with PyYAML: members of a mapping, each a scalar, a list or a
 * mapping of scalars.
 */
import type { Json } from "../client.ts";
import { object } from "../message.ts";

/**
 * The members, every scalar but null as the text that stands there; null for what is no mapping.
 * PyYAML goes by YAML 1.1, whose numbers are others than those of 1.2: it leaves the digest
 * `1234e567`, a text, without quotes.
 */
export function metaIn(text: string): Json | null {
  let parsed: unknown;
  try {
    parsed = Bun.YAML.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return null;
  const lines = text.split("\n");
  const written = (members: Json, indent: RegExp): Json =>
    Object.fromEntries(
      Object.entries(members).map(([name, value]) => {
        if (typeof value === "number" || typeof value === "boolean") {
          return [name, plainOf(lines, indent, name, value)];
        }
        const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
        return [name, isMapping ? written(object(value), /^ +/) : value];
      }),
    );
  return written(parsed as Json, /^/);
}

/** What stands behind a name, where that reads as the value. */
function plainOf(lines: readonly string[], indent: RegExp, name: string, value: unknown): string {
  for (const line of lines) {
    const rest = indent.test(line) ? line.replace(indent, "") : "";
    if (!rest.startsWith(`${name}: `)) continue;
    const plain = rest.slice(name.length + 2).trim();
    if (Object.is(Bun.YAML.parse(plain), value)) return plain;
  }
  return String(value);
}

/*
 * The import rules of .dependency-cruiser.mjs, over the `src` of a folder.
 */
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");
const rules = join(root, ".dependency-cruiser.mjs");

export interface Breach {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  /** What the rule wants, in its own words. */
  readonly comment: string;
}

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly { from: string; to: string; rule: { name: string } }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { name: string; comment: string }[] };
  };
}

/**
 * Every import below `folder`/src that breaks a rule. Throws when the files were not all read: a
 * parser that is missing would otherwise look like a house in order.
 */
export async function findBreaches(folder: string): Promise<Breach[]> {
  const command = [process.execPath, cruiser, "src", "--config", rules, "--output-type", "json"];
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [said, complained] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (!said.startsWith("{")) throw new Error(`dependency-cruiser failed: ${complained}${said}`);
  const { modules, summary }: Cruise = JSON.parse(said);

  const read = new Set(modules.map(({ source }) => source));
  const files = await Array.fromAsync(new Bun.Glob("src/**/*.ts").scan({ cwd: folder }));
  const unread = files.filter((file) => !read.has(file));
  if (unread.length > 0) {
    const names = unread.slice(0, 3).join(", ");
    throw new Error(
      `dependency-cruiser read ${files.length - unread.length} of ${files.length} files ` +
        `(not ${names}): is @swc/core, its parser for TypeScript, installed?`,
    );
  }
  const comments = new Map(summary.ruleSetUsed.forbidden.map((rule) => [rule.name, rule.comment]));
  return summary.violations.map(({ from, to, rule: { name } }) => {
    return { rule: name, from, to, comment: comments.get(name) ?? "" };
  });
}

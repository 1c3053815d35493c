/*
 * House rules that no linter knows.
 */
import { join } from "node:path";

const maxLines = 400;

/** Files in `folder`/src that are longer than a reader's patience. */
export async function findLong(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [file, lines] of source(folder, "src/**/*.{ts,js,html,css}")) {
    if (lines.length > maxLines && !file.endsWith(".test.ts")) {
      found.push(`${file} has ${lines.length} lines; the most is ${maxLines}: split it by noun.`);
    }
  }
  return found.sort();
}

// Biome's noRestrictedGlobals keeps fetch, process and the like out of the pure rooms; it cannot
// tell `new Date(t)`, which is fine, from `new Date()`, which is a clock.
const unrepeatable = /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b/;

const isOfTests = /(?:\.test|\/fixtures?|\/testing)\.ts$/;

/** Lines of the pure rooms that would give another answer on another day. */
export async function findUnrepeatable(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const [file, lines] of source(folder, "src/{feature,learn,onnx,report}/**/*.ts")) {
    if (isOfTests.test(file)) continue;
    for (const [at, line] of lines.entries()) {
      const word = unrepeatable.exec(line)?.[0];
      const isComment = /^\s*(?:\/\/|\/?\*)/.test(line);
      if (word === undefined || isComment) continue;
      found.push(`${file}:${at + 1} uses ${word}; take the instant or the seed as an argument.`);
    }
  }
  return found.sort();
}

async function* source(folder: string, pattern: string): AsyncGenerator<[string, string[]]> {
  for await (const file of new Bun.Glob(pattern).scan({ cwd: folder })) {
    const text = await Bun.file(join(folder, file)).text();
    yield [file, text.replace(/\n$/, "").split("\n")];
  }
}

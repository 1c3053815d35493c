/*
 * Reads what `bun test` wrote with its JUnit reporter. The form is Bun's own and regular, so a
 * scan for two elements does; nothing else is read from it.
 */

export interface Report {
  readonly passed: number;
  readonly failed: number;
  /** Whether they passed or not. */
  readonly ran: readonly Test[];
  readonly skipped: readonly Test[];
}

export interface Test {
  readonly file: string;
  readonly name: string;
}

/** Totals and skipped tests of a JUnit report; throws when the text is not one. */
export function readReport(xml: string): Report {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0];
  if (head === undefined) throw new Error("The test report has no <testsuites> element.");
  const count = (name: string): number => {
    const value = attribute(head, name);
    if (value !== null && /^\d+$/.test(value)) return Number(value);
    throw new Error(`The test report's head has no count "${name}": ${head}`);
  };
  const ran: Test[] = [];
  const skipped: Test[] = [];
  for (const [, open = "", inner] of xml.matchAll(/(<testcase\b[^>]*>)(?:\s*<(skipped)\b)?/g)) {
    const outer = attribute(open, "classname");
    const name = attribute(open, "name") ?? "";
    const test = { file: attribute(open, "file") ?? "", name: outer ? `${outer} > ${name}` : name };
    (inner === undefined ? ran : skipped).push(test);
  }
  const failed = count("failures");
  return { passed: count("tests") - failed - count("skipped"), failed, ran, skipped };
}

function attribute(element: string, name: string): string | null {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(element)?.[1];
  return value === undefined ? null : unescapeXml(value);
}

const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

const unescapeXml = (text: string): string =>
  text.replace(/&(\w+|#\d+);/g, (whole, name: string) =>
    name.startsWith("#") ? String.fromCodePoint(Number(name.slice(1))) : (entities[name] ?? whole),
  );

/**
 * What counts when the runner ended with `code`. A file that cannot be loaded, and an error
 * between tests, are in no report: a bad exit with nothing failed counts as one failure, and so
 * does a run that neither ran nor skipped a test.
 */
export function verdict(report: Report | null, code: number): { passed: number; failed: number } {
  const { passed, failed, skipped } = report ?? { passed: 0, failed: 0, skipped: [] };
  const unseen = failed === 0 && (code !== 0 || passed + skipped.length === 0);
  return { passed, failed: unseen ? 1 : failed };
}

/**
 * How many stories ran on which kind of store, by their names (tests/stores.ts), and why some on
 * one only; nothing where no story ran.
 */
export function storyLines(reports: readonly Report[]): string[] {
  const ran = reports.flatMap((report) => report.ran);
  const stories = ran.filter(({ file }) => file.startsWith("tests/"));
  if (stories.length === 0) return [];
  const of = (pattern: RegExp) => stories.filter(({ name }) => pattern.test(name)).length;
  const none = stories.filter(
    ({ name }) => !/\bon [a-z ]*\b(embedded|services|postgres)\b/.test(name),
  );
  const only = stories.flatMap(({ name }) => /\(on (\w+) only: ([^)]*)\)/.exec(name)?.[0] ?? []);
  const reasons = [...Map.groupBy(only, (why) => why)].map(
    ([why, those]) => `stories: ${those.length} ${why.slice(1, -1)}`,
  );
  const counts = [
    `${of(/\bon embedded\b/)} on embedded`,
    `${of(/\bon ([a-z]+ and )?(services|postgres)\b/)} on services (Postgres, S3, Redis)`,
    `${none.length} without a store`,
  ];
  return [`stories: ${counts.join(", ")}`, ...reasons];
}

const ended = /^\((pass|fail|skip|todo)\) /;

/**
 * What the runner's own log says of each failed test: the lines since the test before it, the last
 * `most` of them, and its name. The runner prints what went wrong above the name, and all names
 * once more at the end, which are left out.
 */
export function failures(log: string, most = 60): string[] {
  const seen = new Set<string>();
  const found: string[] = [];
  let since: string[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  for (const line of log.replace(/\x1b\[[0-9;]*m/g, "").split("\n")) {
    since.push(line);
    if (!ended.test(line)) continue;
    const name = line.replace(/ \[[0-9.]+m?s\]$/, "");
    if (line.startsWith("(fail)") && !seen.has(name)) {
      seen.add(name);
      found.push(
        since
          .slice(-most - 1)
          .join("\n")
          .trim(),
      );
    }
    since = [];
  }
  return found;
}

/** The last line of every command here that checks something. */
export const totalsLine = ({ passed, failed }: { passed: number; failed: number }): string =>
  `${passed} passed, ${failed} failed`;

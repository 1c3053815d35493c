import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failures, readReport, storyLines, totalsLine, verdict } from "./report.ts";

/** Runs a throw-away test file with the real runner: its report or null, its log and exit code. */
async function run(source: string) {
  const folder = await mkdtemp(join(tmpdir(), "sluice-report-"));
  try {
    await Bun.write(join(folder, "a.test.ts"), source);
    const outfile = join(folder, "report.xml");
    const reporter = ["--reporter=junit", `--reporter-outfile=${outfile}`];
    const child = Bun.spawn([process.execPath, "test", ...reporter], {
      cwd: folder,
      stdout: "ignore",
      stderr: "pipe",
    });
    const log = await child.stderr.text();
    const code = await child.exited;
    const file = Bun.file(outfile);
    return { code, log, report: (await file.exists()) ? readReport(await file.text()) : null };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const head = `import { describe, expect, test } from "bun:test";`;

describe("readReport", () => {
  test("counts what the real runner wrote, and names what it skipped", async () => {
    const { report, code } = await run(`${head}
      describe("outer", () => {
        test("fine", () => {});
        test.skip("say \\"a\\" < b & c", () => {});
        test.todo("some day");
      });
      test("also fine", () => {});
      test("wrong", () => expect("<skipped />").toBe("x"));`);
    expect(code).toBe(1);
    expect(report).toEqual({
      passed: 2,
      failed: 1,
      ran: ["outer > fine", "also fine", "wrong"].map((name) => ({ file: "a.test.ts", name })),
      skipped: [
        { file: "a.test.ts", name: 'outer > say "a" < b & c' },
        { file: "a.test.ts", name: "outer > some day" },
      ],
    });
  });

  test("refuses what is not a report", () => {
    expect(() => readReport("")).toThrow("no <testsuites> element");
    expect(() => readReport('<testsuites tests="1" failures="x">')).toThrow('no count "failures"');
  });
});

describe("storyLines", () => {
  const report = (...tests: [file: string, name: string][]) => ({
    ...{ passed: 0, failed: 0, skipped: [] },
    ran: tests.map(([file, name]) => ({ file, name })),
  });

  test("counts by the store in the name, and tells why some are on one", () => {
    const stories = report(
      ["tests/a.test.ts", "tables on embedded > are read"],
      ["tests/a.test.ts", "tables on services > are read"],
      ["tests/b.test.ts", "on embedded and services: the loop"],
      ["tests/c.test.ts", "replicas (on services only: a folder is not shared) > agree"],
      ["tests/c.test.ts", "replicas (on services only: a folder is not shared) > go on"],
      ["tests/d.test.ts", "links lead somewhere"],
      ["src/e.test.ts", "queue on embedded"],
    );
    expect(storyLines([stories])).toEqual([
      "stories: 2 on embedded, 4 on services (Postgres, S3, Redis), 1 without a store",
      "stories: 2 on services only: a folder is not shared",
    ]);
  });

  test("tells nothing where no story ran", () => {
    expect(storyLines([report(["src/e.test.ts", "queue on embedded"])])).toEqual([]);
  });
});

describe("failures", () => {
  test("tells each failed test once, with what went wrong", async () => {
    const { log } = await run(`${head}
      test("fine", () => {});
      test("wrong", () => expect(2 + 2).toBe(5));
      test("as wrong", () => { throw new Error("no such thing"); });`);
    const said = failures(log);
    expect(said).toHaveLength(2);
    expect(said[0]).toContain("Expected: 5");
    expect(said[0]).toMatch(/\(fail\) wrong \[[^\]]*\]$/);
    expect(said[0]).not.toContain("no such thing");
    expect(said[1]).toContain("no such thing");
    expect(said[1]).toContain("(fail) as wrong");
  });

  test("keeps the last lines of much, and finds nothing in a log without", () => {
    const log = `${"a line\n".repeat(100)}(fail) long [1.00ms]\n(pass) b [1.00ms]\n(fail) long\n`;
    expect(failures(log, 2)).toEqual(["a line\na line\n(fail) long [1.00ms]"]);
    expect(failures("(pass) b\n 1 pass\n")).toEqual([]);
  });
});

describe("verdict", () => {
  const clean = { passed: 3, failed: 0, ran: [], skipped: [] };

  test("is the report's own count when the runner ended as the report says", () => {
    expect(verdict(clean, 0)).toEqual({ passed: 3, failed: 0 });
    expect(verdict({ ...clean, failed: 2 }, 1)).toEqual({ passed: 3, failed: 2 });
  });

  test("counts a bad exit that no test explains", () => {
    expect(verdict(clean, 1)).toEqual({ passed: 3, failed: 1 });
    expect(verdict(clean, 139)).toEqual({ passed: 3, failed: 1 });
  });

  test("counts a run of no test, and a run without a report", () => {
    expect(verdict({ ...clean, passed: 0 }, 0)).toEqual({ passed: 0, failed: 1 });
    expect(verdict(null, 0)).toEqual({ passed: 0, failed: 1 });
    const skipped = [{ file: "a.test.ts", name: "a" }];
    expect(verdict({ ...clean, passed: 0, skipped }, 0)).toEqual({ passed: 0, failed: 0 });
  });

  test("a file that cannot be loaded fails, though the report does not name it", async () => {
    const { report, code } = await run(`${head} test("fine", () => {}); throw new Error("no");`);
    expect(verdict(report, code).failed).toBe(1);
  });
});

test("totalsLine has the one form that .ci/run reads", () => {
  expect(totalsLine({ passed: 12, failed: 0 })).toBe("12 passed, 0 failed");
});

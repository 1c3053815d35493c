import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { releaseNotes } from "./release-notes.ts";

const changelog = (unreleased: string, rest = "") => `# Changelog

All notable changes.

## [Unreleased]
${unreleased}
## [0.2.0] - 2026-03-01

### Added

- Forecasts of a third market.

## [0.1.0] - 2026-01-01

- First.
${rest}
[Unreleased]: ../../compare/v0.2.0...HEAD
[0.2.0]: ../../compare/v0.1.0...v0.2.0
`;

describe("releaseNotes", () => {
  test("gives the body of the section, without the next one or the links", () => {
    expect(releaseNotes(changelog(""), "v0.2.0", "0.2.0")).toBe(
      "### Added\n\n- Forecasts of a third market.",
    );
    expect(releaseNotes(changelog(""), "v0.1.0", "0.1.0")).toBe("- First.");
  });

  test("refuses while Unreleased holds entries", () => {
    const open = changelog("\n### Fixed\n\n- A hole at the end of a month.\n");
    expect(() => releaseNotes(open, "v0.2.0", "0.2.0")).toThrow("Unreleased still holds entries");
    const prose = changelog("\nSoon.\n");
    expect(() => releaseNotes(prose, "v0.2.0", "0.2.0")).toThrow("Unreleased still holds entries");
  });

  test("headings alone below Unreleased are no entries", () => {
    const headings = changelog("\n### Added\n\n### Fixed\n");
    expect(releaseNotes(headings, "v0.2.0", "0.2.0")).toContain("third market");
  });

  test("refuses a changelog without an Unreleased head", () => {
    const none = changelog("").replace("## [Unreleased]", "");
    expect(() => releaseNotes(none, "v0.2.0", "0.2.0")).toThrow('no "## [Unreleased]" head');
  });

  test("refuses a version without a section, and does not take a longer one for it", () => {
    expect(() => releaseNotes(changelog(""), "v0.3.0", "0.3.0")).toThrow(
      'no section "## [0.3.0] - DATE"',
    );
    const candidate = changelog("", "\n## [0.3.0-rc.1] - 2026-04-01\n\n- Try it.\n");
    expect(() => releaseNotes(candidate, "v0.3.0", "0.3.0")).toThrow("no section");
    expect(releaseNotes(candidate, "v0.3.0-rc.1", "0.3.0-rc.1")).toBe("- Try it.");
  });

  test("refuses a section that is undated or empty", () => {
    const undated = changelog("").replace("## [0.2.0] - 2026-03-01", "## [0.2.0]");
    expect(() => releaseNotes(undated, "v0.2.0", "0.2.0")).toThrow("has no date");
    const empty = changelog("", "\n## [0.3.0] - 2026-04-01\n");
    expect(() => releaseNotes(empty, "v0.3.0", "0.3.0")).toThrow("section of 0.3.0 is empty");
  });

  test("refuses a tag that is no version or not the package's", () => {
    for (const tag of ["", "0.2.0", "v0.2", "vnext", "v0.2.0;rm"]) {
      expect(() => releaseNotes(changelog(""), tag, "0.2.0")).toThrow("is no release tag");
    }
    expect(() => releaseNotes(changelog(""), "v0.2.0", "0.1.9")).toThrow("package.json says 0.1.9");
  });
});

test("the command ends with 1 and says why, without printing notes", async () => {
  const script = join(import.meta.dir, "release-notes.ts");
  const child = Bun.spawnSync([process.execPath, script, "v99.0.0"]);
  expect(child.exitCode).toBe(1);
  expect(child.stdout.toString()).toBe("");
  expect(child.stderr.toString()).toContain("The tag is v99.0.0, but package.json says");
});

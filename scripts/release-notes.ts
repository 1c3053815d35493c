/*
 * `bun scripts/release-notes.ts v1.2.3`: what the changelog says about that version, for the
 * release page. Refuses when the changelog is not ready to be released.
 */
import { join } from "node:path";
import { version } from "../package.json";
import { reasonOf } from "../src/errors.ts";

const semver = /^\d+\.\d+\.\d+(?:-[\w.-]+)?$/;

interface Section {
  readonly title: string;
  readonly body: string;
}

/**
 * The body of the section of `tag` in a Keep-a-Changelog text. Throws when the tag is no version
 * or not the package's, when `Unreleased` still holds entries, or when the section is missing,
 * undated or empty.
 */
export function releaseNotes(changelog: string, tag: string, packageVersion: string): string {
  const name = tag.replace(/^v/, "");
  if (!tag.startsWith("v") || !semver.test(name)) {
    throw new Error(`"${tag}" is no release tag; one looks like v1.2.3 or v1.2.3-rc.1.`);
  }
  if (name !== packageVersion) {
    throw new Error(`The tag is ${tag}, but package.json says ${packageVersion}: make them agree.`);
  }
  const all = sections(changelog);
  const unreleased = all.find(({ title }) => /^\[?unreleased\]?/i.test(title));
  if (unreleased === undefined) {
    throw new Error('The changelog has no "## [Unreleased]" head: the next change needs one.');
  }
  // A heading such as "### Added" with nothing below it is a template, not an entry.
  if (/^(?!#|\s*$)/m.test(unreleased.body)) {
    throw new Error(`Unreleased still holds entries: move them below "## [${name}] - DATE".`);
  }
  const section = all.find(({ title }) => title.replace(/^\[|\].*$|\s.*$/g, "") === name);
  if (section === undefined) throw new Error(`The changelog has no section "## [${name}] - DATE".`);
  if (!/\d{4}-\d{2}-\d{2}$/.test(section.title)) {
    throw new Error(`"## ${section.title}" has no date; write "## [${name}] - YYYY-MM-DD".`);
  }
  if (section.body === "") throw new Error(`The section of ${name} is empty.`);
  return section.body;
}

/** The `## ` sections, in order; link definitions at the foot belong to none. */
function sections(changelog: string): Section[] {
  const text = changelog.replace(/^\[[^\]]+\]:\s.*$/gm, "");
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [title = "", ...lines] = part.split("\n");
      return { title: title.trim(), body: lines.join("\n").trim() };
    });
}

if (import.meta.main) {
  try {
    const changelog = await Bun.file(join(import.meta.dir, "..", "CHANGELOG.md")).text();
    console.log(releaseNotes(changelog, process.argv[2] ?? "", version));
  } catch (thrown) {
    console.error(reasonOf(thrown));
    process.exit(1);
  }
}

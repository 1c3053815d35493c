import { expect, test } from "bun:test";
import { metaIn } from "./meta.ts";

test("scalars are what is written, whatever YAML takes them for", () => {
  // Each as PyYAML writes the text that is expected.
  const text = `\
date: '2026-01-01'
digest: 1234e567
escaped: "a\\tb \\xE9 \\u2028 long enough to be folded by what writes it, so that it goes on\\
  \\ here"
folded: 'a "text" that is long enough to be folded by what writes it, and so it goes
  on with: 1e5'
lines: 'one

  two'
name: 1e5
number: 1700000000000
octal: 0o17
quoted: '12345678'
tags:
  name: 08912345
  on: 'true'
zeros: 00891234
nothing: null
`;
  expect(metaIn(text)).toEqual({
    ...{ date: "2026-01-01", digest: "1234e567", name: "1e5", number: "1700000000000" },
    escaped: "a\tb é \u2028 long enough to be folded by what writes it, so that it goes on here",
    folded:
      'a "text" that is long enough to be folded by what writes it, and so it goes on with: 1e5',
    ...{ lines: "one\ntwo", octal: "0o17", quoted: "12345678", zeros: "00891234", nothing: null },
    tags: { name: "08912345", on: "true" },
  });
});

test("what is no mapping is none", () => {
  for (const text of ["", "- a\n", "a: [", "text", "a: 1\n  b: 2"]) expect(metaIn(text)).toBeNull();
});

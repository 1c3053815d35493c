import { describe, expect, test } from "bun:test";
import { faultOf } from "./commit-message.ts";

describe("faultOf", () => {
  test("takes conventional titles", () => {
    const titles = ["feat: quantiles", "fix(market): ask again", "feat(http)!: rename a route"];
    for (const title of titles) expect(faultOf(title)).toBeNull();
    expect(faultOf("docs: why\n\nA body.\n\nCloses #1\n")).toBeNull();
  });

  test("takes what Git writes itself", () => {
    for (const title of ["Merge branch 'x'", 'Revert "feat: x"', "fixup! feat: x"]) {
      expect(faultOf(title)).toBeNull();
    }
  });

  test("ignores Git's comments", () => {
    expect(faultOf("# Please enter\nfix: holes\n# On branch main\n")).toBeNull();
    expect(faultOf("# fix: holes\n")).toContain('"" is no conventional title');
  });

  test("refuses every other title, and says what one looks like", () => {
    for (const title of ["Fixed it", "fix:it", "fix : it", "Fix: it", "fix(A b): it", "fix: "]) {
      expect(faultOf(title)).toContain("is no conventional title. It is TYPE: TEXT");
    }
  });

  test("refuses long titles, full stops, and a body that touches the title", () => {
    expect(faultOf(`fix: ${"x".repeat(67)}`)).toBeNull();
    expect(faultOf(`fix: ${"x".repeat(68)}`)).toContain("73 characters; the most is 72");
    expect(faultOf("fix: holes.")).toContain("full stop");
    expect(faultOf("fix: holes\nand more")).toContain("second line empty");
  });
});

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { docsPage } from "./docs.ts";
import { errorsPage } from "./errors.ts";
import { banner, escapeHtml, policyOf } from "./html.ts";

describe("escapeHtml", () => {
  test("leaves nothing that a browser would read as markup", () => {
    expect(escapeHtml(`<a href="x" title='y'>&</a>`)).toBe(
      "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;",
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']/);
      }),
    );
  });
});

describe("policyOf", () => {
  test("names the inline scripts by what is in them", () => {
    const digest = new Bun.CryptoHasher("sha256").update("go()").digest("base64");
    const policy = policyOf({ text: "<p><script>go()</script>", hosted: false });
    expect(policy).toContain(`script-src 'sha256-${digest}';`);
    expect(policyOf({ text: "<script>go() </script>", hosted: false })).not.toContain(digest);
  });

  test("files of the server itself only where a page has some", () => {
    expect(policyOf({ text: "", hosted: false })).toMatch(/style-src 'unsafe-inline';/);
    expect(policyOf({ text: "", hosted: true })).toMatch(/script-src [^;]*'self'/);
  });
});

describe("pages", () => {
  const entry = { code: "bad_<b>", title: "<i>", meaning: "<script>", remedy: "a & b" };

  test("what is put into them is escaped", () => {
    const { text } = errorsPage([entry], false);
    expect(text).toContain('id="bad_&lt;b&gt;"');
    expect(text).toContain("a &amp; b");
    expect(text).not.toContain("<script>");
    expect(text).not.toContain("<i>");
  });

  test("a simulated server says so at the head of each", () => {
    for (const page of [docsPage, (s: boolean) => errorsPage([entry], s)]) {
      expect(page(true).text).toContain('role="alert"');
      expect(page(true).text).toMatch(/<title>[^<]*\(SIMULATED\)/);
      expect(page(false).text).not.toContain("SIMULATED");
    }
    expect(banner(false)).toBe("");
  });
});

import { describe, expect, test } from "bun:test";
import { codes } from "./codes.ts";
import { makeTestApp } from "./testing.ts";

const { ask } = makeTestApp({ config: { open: [] } });

describe("pages", () => {
  test.each(["/", "/runs", "/docs", "/docs/errors"])(
    "%s needs no token and lets no stranger in",
    async (path) => {
      const { status, headers, text } = await ask("GET", path, { token: null });
      expect(status).toBe(200);
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/script-src[^;]*'unsafe-inline'/);
      // Nothing is loaded from elsewhere.
      expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
      expect(text).toStartWith("<!doctype html>");
    },
  );

  test("the parts of /docs are served from the program itself", async () => {
    const { text } = await ask("GET", "/docs", { token: null });
    const parts = [...text.matchAll(/(?:src|href)="(\/docs\/swagger[^"]+)"/g)].map((m) => m[1]!);
    expect(parts.sort()).toEqual(["/docs/swagger-ui.css", "/docs/swagger-ui.js"]);
    for (const part of parts) {
      const { status, headers, text: body } = await ask("GET", part, { token: null });
      expect(status).toBe(200);
      expect(headers.get("content-type")).toMatch(/^text\/(javascript|css); charset=utf-8$/);
      expect(body.length).toBeGreaterThan(100_000);
    }
    const script = (await ask("GET", "/docs/swagger-ui.js", { token: null })).text;
    expect(script).toContain("SwaggerUIBundle");
  });

  test("every problem's type leads to its entry", async () => {
    const { json } = await ask("GET", "/nowhere", { token: null });
    const [path, anchor] = json.type.split("#");
    const { text } = await ask("GET", path, { token: null });
    expect(text).toContain(`id="${anchor}"`);
    for (const { code } of codes) expect(text).toContain(`id="${code}"`);
  });
});

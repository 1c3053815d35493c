import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapeHtml, fixed, html, percent, short, signed, whole } from "./html.ts";

test("whatever is put into a template is text", () => {
  const nasty = `<b a="1">'&'</b>`;
  expect(html`<p title="${nasty}">${nasty}</p>`.safe).toBe(
    `<p title="${escapeHtml(nasty)}">${escapeHtml(nasty)}</p>`,
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(html`<p>${[text, [text]]}</p>`.safe.slice(3, -4)).not.toMatch(/[<>"']/);
    }),
  );
});

test("templates within templates are markup, and nothing is a dash", () => {
  expect(html`<p>${html`<b>${1}</b>`}${[html`<i>${"<"}</i>`]}${null}</p>`.safe).toBe(
    "<p><b>1</b><i>&lt;</i>–</p>",
  );
});

test("numbers read the same everywhere", () => {
  expect(fixed(1234.56789, 2)).toBe("1,234.57");
  expect(whole(1234567)).toBe("1,234,567");
  expect(percent(0.12345)).toBe("12.3 %");
  expect(signed(0.5, 1)).toBe("+0.5");
  expect(signed(-0.5, 1)).toBe("-0.5");
  expect(short(123456)).toBe("123,456");
  expect(short(0.123456)).toBe("0.1235");
  expect(short(0.00000123)).toBe("1.23e-6");
  for (const say of [fixed, whole, percent, short, signed]) {
    expect(say(Number.NaN)).toBe("–");
    expect(say(null)).toBe("–");
    expect(say(undefined)).toBe("–");
    expect(say(Number.POSITIVE_INFINITY)).toBe("–");
  }
});

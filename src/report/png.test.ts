import { describe, expect, test } from "bun:test";
import { crc32, inflateSync } from "node:zlib";
import { type Drawing, type Marks, marksOf, rule, textMark } from "./drawing.ts";
import { dotsOf, dotsWide } from "./font.ts";
import { bars, line, plot } from "./plot.ts";
import { encodePng, pngFile } from "./png.ts";
import { type Pixels, rasterize } from "./raster.ts";

/** A picture of 20 by 20 units, 40 by 40 pixels. */
const drawn = (marks: Marks): Drawing => ({
  ...{ title: "t", width: 20, height: 20 },
  marks: marksOf(marks),
});

/** Darkness of each pixel, 0 to 1. */
const darkness = (marks: Marks): number[][] => {
  const { width, rgb } = rasterize(drawn(marks));
  return Array.from({ length: rgb.length / 3 / width }, (_, y) =>
    Array.from({ length: width }, (_, x) => 1 - rgb[3 * (y * width + x)]! / 255),
  );
};
const total = (picture: number[][]): number => picture.flat().reduce((sum, v) => sum + v, 0);
/** What a full pixel of a colour is dark. */
const FULL = { ink: 1 - 0x1c / 255, accent: 1 - 0x1f / 255 };

describe("marks cover what they should", () => {
  test("a box: its area, in part at its edges", () => {
    const box = { kind: "box", opacity: 1, ink: "accent", said: null } as const;
    const picture = darkness({ ...box, at: [2, 3.25], width: 5, height: 4.5 });
    expect(total(picture) / FULL.accent).toBeCloseTo(4 * 5 * 4.5, 0);
    expect(picture[6]![5]).toBeCloseTo(FULL.accent / 2, 1);
    expect(picture[7]![3]).toBe(0);
  });

  test("a disc, a triangle and a line: their areas", () => {
    const disc = { kind: "disc", at: [10, 10], radius: 5, ink: "accent", said: null } as const;
    expect(total(darkness(disc)) / FULL.accent / (4 * Math.PI * 25)).toBeCloseTo(1, 1);
    const corners = [
      [1, 1],
      [17, 1],
      [1, 17],
    ] as const;
    const area = { kind: "area", points: corners, ink: "accent", opacity: 0.5 } as const;
    expect(total(darkness(area)) / FULL.accent / (0.5 * 4 * 128)).toBeCloseTo(1, 1);
    const level = darkness(rule([2, 10], [18, 10], "accent", 2));
    // With round ends.
    expect(total(level) / FULL.accent / (4 * 16 * 2 + 4 * Math.PI)).toBeCloseTo(1, 1);
    // Points upon each other make a line no bolder.
    const again = { ...rule([2, 10], [18, 10], "accent", 2) };
    const twice = darkness({ ...again, points: [...again.points, ...again.points] });
    expect(twice).toEqual(level);
  });

  test("dashes leave their gaps", () => {
    const whole = rule([0, 10], [20, 10], "accent", 1);
    const share = total(darkness({ ...whole, dash: [4, 4] })) / total(darkness(whole));
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.8);
  });

  test("what lies outside of the paper is left out", () => {
    const away = darkness([
      rule([-30, -30], [-5, 60], "ink"),
      textMark([300, -40], "away"),
      { kind: "disc", at: [90, 90], radius: 3, ink: "up", said: null },
      { kind: "box", at: [-9, 30], width: 4, height: 9, ink: "up", opacity: 1, said: null },
    ]);
    expect(total(away)).toBe(0);
  });
});

test("letters: each has its dots, turned ones too, and what has none is a box", () => {
  const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  const shapes = printable.map((letter) => JSON.stringify(dotsOf(letter)));
  expect(new Set(shapes).size).toBe(95);
  expect(dotsOf("한")).toEqual(dotsOf("\u{1f600}"));
  expect(printable.map((letter) => JSON.stringify(dotsOf(letter)))).not.toContain(
    JSON.stringify(dotsOf("한")),
  );
  expect(dotsWide("abc")).toBe(17);
  const inked = 4 * dotsOf("W1").length * FULL.ink;
  for (const turned of [false, true]) {
    const picture = darkness(textMark([10, 12], "W1", "middle", { ink: "ink", turned }));
    expect(total(picture)).toBeCloseTo(inked, 3);
  }
});

describe("files", () => {
  const drawing = plot(
    "t",
    { label: "x", low: 0, high: 1 },
    { label: "y", low: 0, high: 1 },
    (scale) =>
      line(scale, [
        [0, 0],
        [0.5, 0.9],
        [1, 1],
      ]),
  );

  /** The chunks of a file by their names, each with a check sum that is right. */
  const chunksOf = (file: Uint8Array): Map<string, Uint8Array> => {
    const view = new DataView(file.buffer);
    const chunks = new Map<string, Uint8Array>();
    for (let at = 8; at < file.length; ) {
      const length = view.getUint32(at);
      const named = file.subarray(at + 4, at + 8 + length);
      expect(view.getUint32(at + 8 + length)).toBe(crc32(named));
      chunks.set(new TextDecoder().decode(named.subarray(0, 4)), named.subarray(4));
      at += 12 + length;
    }
    return chunks;
  };

  /** What a reader makes of a file. */
  const decoded = (file: Uint8Array): Pixels => {
    const chunks = chunksOf(file);
    const head = chunks.get("IHDR")!;
    const view = new DataView(head.buffer, head.byteOffset);
    const [width, height] = [view.getUint32(0), view.getUint32(4)];
    const colors = chunks.get("PLTE");
    expect([head[8], head[9]]).toEqual([8, colors === undefined ? 2 : 3]);
    const long = width * (colors === undefined ? 3 : 1);
    const rows = inflateSync(chunks.get("IDAT")!);
    const all = Array.from({ length: height }, (_, y) => {
      const row = rows.subarray(y * (long + 1) + 1, (y + 1) * (long + 1));
      return [...row].flatMap((byte) =>
        colors === undefined ? [byte] : [...colors.subarray(3 * byte, 3 * byte + 3)],
      );
    });
    return { width, height, rgb: Uint8Array.from(all.flat()) };
  };

  test("hold the pixels again, and the same drawing gives the same bytes", () => {
    const pixels = rasterize(drawing);
    const file = encodePng(pixels);
    expect(pngFile(drawing)).toEqual(file);
    expect(Bun.deepEquals(decoded(file), pixels)).toBe(true);
    expect([pixels.width, pixels.height]).toEqual([720, 520]);
    expect(file.length).toBeLessThan(10_000);
  });

  test("also of 256 colours, and of more", () => {
    for (const many of [256, 257]) {
      const rgb = Uint8Array.from({ length: 3 * 300 }, (_, i) =>
        i % 3 === 0
          ? Math.floor(i / 3) % 256
          : i % 3 === 1 && Math.floor(i / 3) >= 256
            ? many - 256
            : 0,
      );
      const pixels = { width: 30, height: 10, rgb };
      const file = encodePng(pixels);
      expect(chunksOf(file).has("PLTE")).toBe(many === 256);
      expect(decoded(file)).toEqual(pixels);
    }
  });

  test("an empty plot is a picture too", () => {
    expect(pngFile(bars("none", [])).length).toBeGreaterThan(50);
  });
});

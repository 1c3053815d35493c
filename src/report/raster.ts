/*
 * Drawings as pixels, on white paper, with soft edges: what of a pixel a mark covers is its share of
 * the colour. Plain geometry and letters of dots, so that no font and no library is needed.
 */
import type { AreaMark, BoxMark, DiscMark, Drawing, LineMark, Spot, TextMark } from "./drawing.ts";
import { dotsOf, dotsWide, GLYPH } from "./font.ts";
import { PAPER } from "./svg.ts";

/** Red, green and blue of each pixel, row by row from the top. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Pixels a unit of the drawing. */
const SCALE = 2;
/** Steps from paper to colour: a few of them look as soft, and make small files. */
const SHADES = 6;

/** The drawing in twice as many pixels as it has units. */
export const rasterize = ({ width, height, marks }: Drawing): Pixels => {
  const canvas = makeCanvas(width * SCALE, height * SCALE);
  for (const mark of marks) {
    if (mark.kind === "line") drawLine(canvas, mark);
    else if (mark.kind === "area") drawArea(canvas, mark);
    else if (mark.kind === "box") drawBox(canvas, mark);
    else if (mark.kind === "disc") drawDisc(canvas, mark);
    else drawText(canvas, mark);
  }
  return canvas.pixels;
};

type Canvas = ReturnType<typeof makeCanvas>;

const makeCanvas = (width: number, height: number) => {
  const rgb = new Uint8Array(3 * width * height).fill(255);
  /** What the mark under way covers of each pixel. */
  const cover = new Float32Array(width * height);
  const [columns, rows] = [within(width), within(height)];

  /** Calls back with each pixel whose middle may be within a rectangle. */
  const each = (
    [left, top, right, bottom]: readonly [number, number, number, number],
    visit: (at: number, x: number, y: number) => void,
  ): void => {
    for (let y = rows(top); y < rows(bottom + 1); y++) {
      for (let x = columns(left); x < columns(right + 1); x++) visit(y * width + x, x, y);
    }
  };
  /** Lays the colour on what is covered within the rectangle, and forgets the cover. */
  const paint = (
    [left, top, right, bottom]: readonly [number, number, number, number],
    color: string,
    opacity: number,
  ): void => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((from) =>
      Number.parseInt(color.slice(from, from + 2), 16),
    );
    const [first, end] = [columns(left), columns(right + 1)];
    for (let y = rows(top); y < rows(bottom + 1); y++) {
      for (let at = y * width + first; at < y * width + end; at++) {
        const covered = cover[at]!;
        if (covered === 0) continue;
        cover[at] = 0;
        const share = (Math.round(Math.min(1, covered) * SHADES) / SHADES) * opacity;
        rgb[3 * at] = mixed(rgb[3 * at]!, red, share);
        rgb[3 * at + 1] = mixed(rgb[3 * at + 1]!, green, share);
        rgb[3 * at + 2] = mixed(rgb[3 * at + 2]!, blue, share);
      }
    }
  };
  return { pixels: { width, height, rgb }, cover, each, paint };
};

const mixed = (under: number, over: number, share: number): number =>
  Math.round(under + share * (over - under));

/** The whole number of pixels at or below a place, within the picture. */
const within = (size: number) => (place: number) => Math.min(size, Math.max(0, Math.floor(place)));

const drawLine = ({ cover, each, paint }: Canvas, { points, ink, width, dash }: LineMark): void => {
  const half = (width * SCALE) / 2;
  const spots = points.map(([x, y]): Spot => [x * SCALE, y * SCALE]);
  const reach = half + 1;
  for (const [[ax, ay], [bx, by]] of piecesOf(spots, dash)) {
    const [dx, dy] = [bx - ax, by - ay];
    const length = dx * dx + dy * dy;
    const box = [
      Math.min(ax, bx) - reach,
      Math.min(ay, by) - reach,
      Math.max(ax, bx) + reach,
      Math.max(ay, by) + reach,
    ] as const;
    each(box, (at, x, y) => {
      const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const away = Math.hypot(px - along * dx, py - along * dy);
      cover[at] = Math.max(cover[at]!, Math.min(1, half + 0.5 - away));
    });
  }
  paint(boundsOf(spots, reach), PAPER[ink], 1);
};

/** The straight pieces of a line, or of its dashes. */
const piecesOf = (spots: readonly Spot[], dash: LineMark["dash"]): (readonly [Spot, Spot])[] => {
  const whole = spots.slice(1).map((to, i) => [spots[i]!, to] as const);
  if (dash === null) return whole;
  const [stroke, gap] = [dash[0] * SCALE, dash[1] * SCALE];
  let walked = 0;
  return whole.flatMap(([from, to]) => {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const place = (at: number): Spot => {
      const share = length === 0 ? 0 : at / length;
      return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
    };
    const parts: (readonly [Spot, Spot])[] = [];
    for (let at = 0; at < length; ) {
      const phase = (walked + at) % (stroke + gap);
      const step = phase < stroke ? stroke - phase : stroke + gap - phase;
      const end = Math.min(length, at + step);
      if (phase < stroke) parts.push([place(at), place(end)]);
      // Rounding must not leave it where it is.
      at = Math.max(end, at + 1e-6);
    }
    walked += length;
    return parts;
  });
};

/** Four looks a row, each with the exact ends of what it crosses. */
const LOOKS = 4;

const drawArea = ({ pixels, cover, paint }: Canvas, { points, ink, opacity }: AreaMark): void => {
  const spots = points.map(([x, y]): Spot => [x * SCALE, y * SCALE]);
  const bounds = boundsOf(spots, 1);
  const rows = within(pixels.height);
  for (let y = rows(bounds[1]); y < rows(bounds[3] + 1); y++) {
    for (let look = 0; look < LOOKS; look++) {
      const level = y + (look + 0.5) / LOOKS;
      const ends = spots
        .flatMap(([ax, ay], i) => {
          const [bx, by] = spots[(i + 1) % spots.length]!;
          return ay <= level === by <= level ? [] : [ax + ((level - ay) / (by - ay)) * (bx - ax)];
        })
        .sort((a, b) => a - b);
      for (let i = 0; i + 1 < ends.length; i += 2) {
        spanOn(cover, pixels.width, y, ends[i]!, ends[i + 1]!, 1 / LOOKS);
      }
    }
  }
  paint(bounds, PAPER[ink], opacity);
};

const drawBox = ({ pixels, cover, paint }: Canvas, mark: BoxMark): void => {
  const [left, top] = [mark.at[0] * SCALE, mark.at[1] * SCALE];
  const [right, bottom] = [left + mark.width * SCALE, top + mark.height * SCALE];
  const rows = within(pixels.height);
  for (let y = rows(top); y < rows(bottom + 1); y++) {
    const share = Math.min(y + 1, bottom) - Math.max(y, top);
    if (share > 0) spanOn(cover, pixels.width, y, left, right, share);
  }
  paint([left, top, right, bottom], PAPER[mark.ink], mark.opacity);
};

/** Covers a row from left to right, in part at both ends. */
const spanOn = (
  cover: Float32Array,
  width: number,
  y: number,
  left: number,
  right: number,
  share: number,
): void => {
  const columns = within(width);
  for (let x = columns(left); x < columns(right + 1); x++) {
    const part = Math.min(x + 1, right) - Math.max(x, left);
    if (part > 0) cover[y * width + x]! += share * part;
  }
};

const drawDisc = ({ cover, each, paint }: Canvas, { at: [x, y], radius, ink }: DiscMark): void => {
  const [middle, half, size] = [x * SCALE, y * SCALE, radius * SCALE];
  const box = boundsOf([[middle, half]], size + 1);
  each(box, (at, px, py) => {
    const away = Math.hypot(px + 0.5 - middle, py + 0.5 - half);
    cover[at] = Math.min(1, Math.max(0, size + 0.5 - away));
  });
  paint(box, PAPER[ink], 1);
};

const drawText = (
  { pixels, cover, paint }: Canvas,
  { at: [x, y], text, anchor, ink, turned }: TextMark,
): void => {
  const long = dotsWide(text) * SCALE;
  const start = anchor === "start" ? 0 : anchor === "middle" ? -long / 2 : -long;
  for (const { column, row } of dotsOf(text)) {
    // Along the text and down from its foot, in whole pixels: dots have no soft edges.
    const [u, v] = [Math.round(start + column * SCALE), (row - GLYPH.height) * SCALE];
    const [left, top] = turned ? [v, -u - SCALE] : [u, v];
    for (let i = 0; i < SCALE; i++) {
      for (let j = 0; j < SCALE; j++) {
        const [px, py] = [Math.round(x * SCALE) + left + i, Math.round(y * SCALE) + top + j];
        const isIn = px >= 0 && px < pixels.width && py >= 0 && py < pixels.height;
        if (isIn) cover[py * pixels.width + px] = 1;
      }
    }
  }
  const high = GLYPH.height * SCALE + 1;
  const reach = Math.abs(start) + long + 1;
  const [px, py] = [x * SCALE, y * SCALE];
  paint(
    turned
      ? [px - high, py - reach, px + high, py + reach]
      : [px - reach, py - high, px + reach, py + high],
    PAPER[ink],
    1,
  );
};

const boundsOf = (spots: readonly Spot[], reach: number) => {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of spots) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return [left - reach, top - reach, right + reach, bottom + reach] as const;
};

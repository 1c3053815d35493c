/*
 * Pixels as a PNG file (ISO/IEC 15948). Where there are 256 colours at most, as in most plots, a
 * pixel is the place of its colour in a list: half the bytes.
 */
import { crc32, deflateSync } from "node:zlib";
import type { Drawing } from "./drawing.ts";
import { type Pixels, rasterize } from "./raster.ts";

/** The drawing as a picture that every viewer shows. */
export const pngFile = (drawing: Drawing): Uint8Array => encodePng(rasterize(drawing));

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** What a row is preceded by: its bytes are those of the picture. */
const NO_FILTER = 0;
/** What the bytes of a pixel are. */
const KIND = { rgb: 2, listed: 3 } as const;
const MOST_LISTED = 256;

/** The bytes of the file; the same pixels give the same bytes. */
export const encodePng = (pixels: Pixels): Uint8Array => {
  const { width, height, rgb } = pixels;
  const listed = listOf(pixels);
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, listed === null ? KIND.rgb : KIND.listed], 8); // bits a sample, and what it is
  const bytes = listed?.places ?? rgb;
  const long = bytes.length / height;
  const rows = new Uint8Array(height * (long + 1));
  for (let y = 0; y < height; y++) {
    rows[y * (long + 1)] = NO_FILTER;
    rows.set(bytes.subarray(y * long, (y + 1) * long), y * (long + 1) + 1);
  }
  return joined([
    SIGNATURE,
    chunk("IHDR", head),
    ...(listed === null ? [] : [chunk("PLTE", listed.colors)]),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
};

/** The colours in the order in which they come, and each pixel's; null where they are too many. */
const listOf = ({ rgb }: Pixels): { colors: Uint8Array; places: Uint8Array } | null => {
  const known = new Map<number, number>();
  const places = new Uint8Array(rgb.length / 3);
  let [last, place] = [-1, 0];
  for (let at = 0; at < places.length; at++) {
    const color = rgb[3 * at]! * 65_536 + rgb[3 * at + 1]! * 256 + rgb[3 * at + 2]!;
    // Nearly every pixel has the colour of the one before.
    if (color !== last) {
      place = known.get(color) ?? known.size;
      if (place === MOST_LISTED) return null;
      known.set(color, place);
      last = color;
    }
    places[at] = place;
  }
  const colors = [...known.keys()].flatMap((color) => [
    color >> 16,
    (color >> 8) & 255,
    color & 255,
  ]);
  return { colors: Uint8Array.from(colors), places };
};

/** Length, kind, bytes, and the check sum of the last two. */
const chunk = (kind: string, bytes: Uint8Array): Uint8Array => {
  const named = joined([new TextEncoder().encode(kind), bytes]);
  const [length, sum] = [new Uint8Array(4), new Uint8Array(4)];
  new DataView(length.buffer).setUint32(0, bytes.length);
  new DataView(sum.buffer).setUint32(0, crc32(named));
  return joined([length, named, sum]);
};

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

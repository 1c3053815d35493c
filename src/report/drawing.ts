/*
 * What a plot is made of, before it is a picture: marks in the drawing's own units, y downwards.
 * `svg.ts` and `raster.ts` each make a picture of it.
 */

/** Colours by what they are for; what they look like is up to who paints. */
export type Ink = "ink" | "dim" | "line" | "accent" | "up" | "down";

/** A place in the drawing's own units. */
export type Spot = readonly [x: number, y: number];

/** A line through points; dashes are lengths of stroke and gap. */
export interface LineMark {
  readonly kind: "line";
  readonly points: readonly Spot[];
  readonly ink: Ink;
  readonly width: number;
  readonly dash: readonly [stroke: number, gap: number] | null;
}

/** A filled shape. */
export interface AreaMark {
  readonly kind: "area";
  readonly points: readonly Spot[];
  readonly ink: Ink;
  readonly opacity: number;
}

/** An upright rectangle; `said` shows when it is pointed at. */
export interface BoxMark {
  readonly kind: "box";
  readonly at: Spot;
  readonly width: number;
  readonly height: number;
  readonly ink: Ink;
  readonly opacity: number;
  readonly said: string | null;
}

/** A disc. */
export interface DiscMark {
  readonly kind: "disc";
  readonly at: Spot;
  readonly radius: number;
  readonly ink: Ink;
  readonly said: string | null;
}

/** A line of text, 11 units high; turned ones read upwards. */
export interface TextMark {
  readonly kind: "text";
  readonly at: Spot;
  readonly anchor: "start" | "middle" | "end";
  readonly text: string;
  readonly ink: Ink;
  readonly turned: boolean;
  readonly said: string | null;
}

export type Mark = LineMark | AreaMark | BoxMark | DiscMark | TextMark;

/** Marks in whatever order and depth they were put together. */
export type Marks = Mark | readonly Marks[];

/** A plot: later marks lie upon earlier ones. */
export interface Drawing {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
}

/** All marks one after the other. */
export const marksOf = (marks: Marks): Mark[] =>
  "kind" in marks ? [marks] : marks.flatMap(marksOf);

/** A line of text, in the colour of labels unless another is given. */
export const textMark = (
  at: Spot,
  text: string,
  anchor: TextMark["anchor"] = "middle",
  {
    ink = "dim",
    turned = false,
    said = null,
  }: Partial<Pick<TextMark, "ink" | "turned" | "said">> = {},
): TextMark => ({ kind: "text", at, anchor, text, ink, turned, said });

/** A straight line between two places. */
export const rule = (from: Spot, to: Spot, ink: Ink, width = 1): LineMark => ({
  kind: "line",
  points: [from, to],
  ink,
  width,
  dash: null,
});

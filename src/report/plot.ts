/*
 * Plots: what they are made of, from values. `svg.ts` and `raster.ts` make pictures of them.
 */
import {
  type Drawing,
  type Ink,
  type LineMark,
  type Marks,
  marksOf,
  rule,
  type Spot,
  textMark,
} from "./drawing.ts";
import { short } from "./html.ts";

/** From values to the drawing's own units; y grows upwards. */
export interface Scale {
  x(value: number): number;
  y(value: number): number;
}

export interface Axis {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly said?: (value: number) => string;
  /** Where to put ticks; at round numbers unless given. */
  readonly ticks?: readonly number[];
}

const BOX = { left: 62, right: 12, top: 10, bottom: 40 } as const;

/** A framed plot with two axes; `draw` gives what is inside. */
export const plot = (
  title: string,
  xAxis: Axis,
  yAxis: Axis,
  draw: (scale: Scale) => Marks,
  { width = 360, height = 260 } = {},
): Drawing => {
  const [right, bottom] = [width - BOX.right, height - BOX.bottom];
  const place =
    ({ low, high }: Axis, from: number, to: number) =>
    (value: number) => {
      const share = high > low ? (value - low) / (high - low) : 0.5;
      return round(from + Math.min(1, Math.max(0, share)) * (to - from));
    };
  const scale = { x: place(xAxis, BOX.left, right), y: place(yAxis, bottom, BOX.top) };
  const say = (axis: Axis, value: number) => axis.said?.(value) ?? short(value);
  const middle = round((BOX.left + right) / 2);
  const marks: Marks = [
    ticksOf(xAxis).map((t) => {
      const [x, said] = [scale.x(t), say(xAxis, t)];
      return [
        rule([x, BOX.top], [x, bottom], "line"),
        textMark([x, bottom + 14], said, anchorOf(xAxis, t, said)),
      ];
    }),
    ticksOf(yAxis).map((t) => {
      const y = scale.y(t);
      return [
        rule([BOX.left, y], [right, y], "line"),
        textMark([BOX.left - 5, y + 4], say(yAxis, t), "end"),
      ];
    }),
    textMark([middle, height - 6], xAxis.label),
    textMark([12, round((BOX.top + bottom) / 2)], yAxis.label, "middle", { turned: true }),
    draw(scale),
  ];
  return { title, width, height, marks: marksOf(marks) };
};

/** Long words at an axis' ends lean inwards, where there is room for them. */
const anchorOf = ({ low, high }: Axis, value: number, said: string) =>
  said.length <= 6 ? "middle" : value <= low ? "start" : value >= high ? "end" : "middle";

/** Round numbers between the ends, six at most: multiples of 1, 2 or 5 times a power of ten. */
const ticksOf = ({ low, high, ticks }: Axis): readonly number[] => {
  if (ticks !== undefined) return ticks;
  if (!(high > low)) return [low];
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((times) => times * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  // Rounded, since 3 x 0.1 is not 0.3.
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
};

/** Two digits behind the point: a plot is not measured with a ruler. */
export const round = (value: number): number => Math.round(value * 100) / 100;

/** A point's place in values. */
export type Place = readonly [x: number, y: number];

/** A line through points; nothing without any. */
export const line = (
  scale: Scale,
  points: readonly Place[],
  ink: Ink = "accent",
  dash: LineMark["dash"] = null,
): Marks =>
  points.length === 0
    ? []
    : { kind: "line", points: spotsOf(scale, points), ink, width: 1.8, dash };

/** The dashes of what others are held against. */
export const DASHED = [4, 3] as const;

/** A dashed line between two points, to hold others against. */
export const reference = (scale: Scale, from: Place, to: Place): Marks =>
  line(scale, [from, to], "dim", DASHED);

/** The area between a line and the values below it, point by point. */
export const band = (
  scale: Scale,
  low: readonly Place[],
  high: readonly Place[],
  ink: Ink = "accent",
): Marks => ({
  kind: "area",
  points: spotsOf(scale, [...low, ...high.toReversed()]),
  ink,
  opacity: 0.18,
});

/** Dots, each with a text that shows when it is pointed at. */
export const dots = (
  scale: Scale,
  points: readonly { readonly at: Place; readonly said: string }[],
  ink: Ink = "accent",
  radius = 3,
): Marks =>
  points.map(({ at, said }) => ({
    kind: "disc",
    at: [scale.x(at[0]), scale.y(at[1])],
    radius,
    ink,
    said,
  }));

/** Upright bars from the bottom, side by side; each has a text. */
export const columns = (
  scale: Scale,
  bars: readonly {
    readonly from: number;
    readonly to: number;
    readonly height: number;
    readonly said: string;
  }[],
  ink: Ink = "accent",
  opacity = 0.55,
): Marks =>
  bars.map(({ from, to, height, said }) => {
    const [left, right, top, foot] = [scale.x(from), scale.x(to), scale.y(height), scale.y(0)];
    return {
      kind: "box",
      at: [left, top],
      width: round(Math.max(0.5, right - left - 0.6)),
      height: round(Math.max(0, foot - top)),
      ...{ ink, opacity, said },
    };
  });

/** A name with a bar to its right: what it is worth, and its interval if it has one. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly said: string;
}

/** Lying bars below each other, 0 at their common foot. */
export const bars = (title: string, all: readonly Bar[], ink: Ink = "accent"): Drawing => {
  const [width, step, left, right] = [360, 20, 128, 52];
  const ends = all.flatMap(({ value, low = value, high = value }) => [low, value, high]);
  const [least, most] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const x = (value: number) =>
    round(left + ((value - least) / (most - least || 1)) * (width - left - right));
  const marks: Marks = all.map(({ name, value, low, high, said }, i) => {
    const y = i * step + 3;
    const long = round(Math.max(0.5, Math.abs(x(value) - x(0))));
    const whisker =
      low === undefined || high === undefined ? [] : rule([x(low), y + 7], [x(high), y + 7], "ink");
    return [
      textMark([left - 6, y + 11], clipped(name), "end", { ink: "ink", said: name }),
      {
        kind: "box",
        at: [Math.min(x(0), x(value)), y],
        width: long,
        height: 14,
        ...{ ink, opacity: 0.6, said: null },
      },
      whisker,
      textMark([round(Math.max(x(value), x(high ?? value)) + 4), y + 11], said, "start"),
    ];
  });
  return { title, width, height: all.length * step + 4, marks: marksOf(marks) };
};

/** A name in the room that there is for it. */
export const clipped = (name: string, most = 20): string =>
  name.length > most ? `${name.slice(0, most - 1)}…` : name;

/** Low and high of values with some room around them; 0 to 1 of none. */
export const spanOf = (values: readonly number[], room = 0.06): readonly [number, number] => {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [0, 1];
  const low = known.reduce((least, v) => Math.min(least, v));
  const high = known.reduce((most, v) => Math.max(most, v));
  const margin = high > low ? (high - low) * room : Math.max(Math.abs(low) * room, 1e-6);
  return [low - margin, high + margin];
};

const spotsOf = (scale: Scale, points: readonly Place[]): Spot[] =>
  points.map(([x, y]) => [scale.x(x), scale.y(y)]);

/*
 * Plots as inline SVG: no script, colours from the page's style. All coordinates are numbers of
 * ours; texts are escaped by the templates.
 */
import { html, nothing, type Part, type Safe, short } from "./html.ts";

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
  draw: (scale: Scale) => Part,
  { width = 360, height = 260 } = {},
): Safe => {
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
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">${ticksOf(
    xAxis,
  ).map(
    (t) => html`<line x1="${scale.x(t)}" x2="${scale.x(t)}" y1="${BOX.top}" y2="${bottom}"
 stroke="var(--line)"/><text x="${scale.x(t)}" y="${bottom + 14}" text-anchor="${anchorOf(xAxis, t, say(xAxis, t))}">${say(xAxis, t)}</text>`,
  )}${ticksOf(yAxis).map(
    (t) => html`<line x1="${BOX.left}" x2="${right}" y1="${scale.y(t)}" y2="${scale.y(t)}"
 stroke="var(--line)"/><text x="${BOX.left - 5}" y="${scale.y(t) + 4}" text-anchor="end">${say(yAxis, t)}</text>`,
  )}<text x="${middle}" y="${height - 6}" text-anchor="middle">${xAxis.label}</text><text x="12"
 y="${round((BOX.top + bottom) / 2)}" text-anchor="middle"
 transform="rotate(-90 12 ${round((BOX.top + bottom) / 2)})">${yAxis.label}</text>${draw(scale)}</svg>`;
};

/** Long words at an axis' ends lean inwards, where there is room for them. */
const anchorOf = ({ low, high }: Axis, value: number, said: string): string =>
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

/** A line through points. */
export const line = (
  scale: Scale,
  points: readonly Place[],
  color = "var(--accent)",
  dash = "",
): Safe =>
  points.length === 0
    ? nothing
    : html`<polyline points="${pathOf(scale, points)}" fill="none" stroke="${color}" stroke-width="1.8"${
        dash === "" ? nothing : html` stroke-dasharray="${dash}"`
      }/>`;

/** A dashed line between two points, to hold others against. */
export const reference = (scale: Scale, from: Place, to: Place): Safe =>
  line(scale, [from, to], "var(--dim)", "4 3");

/** The area between a line and the values below it, point by point. */
export const band = (
  scale: Scale,
  low: readonly Place[],
  high: readonly Place[],
  color = "var(--accent)",
): Safe =>
  html`<polygon points="${pathOf(scale, [...low, ...high.toReversed()])}" fill="${color}" opacity=".18"/>`;

/** Dots, each with a text that shows when it is pointed at. */
export const dots = (
  scale: Scale,
  points: readonly { readonly at: Place; readonly said: string }[],
  color = "var(--accent)",
  radius = 3,
): Safe =>
  html`${points.map(
    ({ at, said }) =>
      html`<circle cx="${scale.x(at[0])}" cy="${scale.y(at[1])}" r="${radius}" fill="${color}"><title>${said}</title></circle>`,
  )}`;

/** Upright bars from the bottom, side by side; each has a text. */
export const columns = (
  scale: Scale,
  bars: readonly {
    readonly from: number;
    readonly to: number;
    readonly height: number;
    readonly said: string;
  }[],
  color = "var(--accent)",
  opacity = 0.55,
): Safe =>
  html`${bars.map(({ from, to, height, said }) => {
    const [left, right, top, foot] = [scale.x(from), scale.x(to), scale.y(height), scale.y(0)];
    return html`<rect x="${left}" y="${top}" width="${round(Math.max(0.5, right - left - 0.6))}"
 height="${round(Math.max(0, foot - top))}" fill="${color}" opacity="${opacity}"><title>${said}</title></rect>`;
  })}`;

/** A name with a bar to its right: what it is worth, and its interval if it has one. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
  readonly said: string;
}

/** Lying bars below each other, 0 at their common foot; nothing without bars. */
export const bars = (title: string, all: readonly Bar[], color = "var(--accent)"): Safe => {
  if (all.length === 0) return nothing;
  const [width, step, left, right] = [360, 20, 128, 52];
  const ends = all.flatMap(({ value, low = value, high = value }) => [low, value, high]);
  const [least, most] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const x = (value: number) =>
    round(left + ((value - least) / (most - least || 1)) * (width - left - right));
  return html`<svg viewBox="0 0 ${width} ${all.length * step + 4}" role="img" aria-label="${title}">${all.map(
    ({ name, value, low, high, said }, i) => {
      const y = i * step + 3;
      const whisker =
        low === undefined || high === undefined
          ? nothing
          : html`<line x1="${x(low)}" x2="${x(high)}" y1="${y + 7}" y2="${y + 7}" stroke="var(--ink)"/>`;
      return html`<text x="${left - 6}" y="${y + 11}" text-anchor="end" class="ink">${clipped(name)}<title>${name}</title></text><rect
 x="${Math.min(x(0), x(value))}" y="${y}" width="${round(Math.max(0.5, Math.abs(x(value) - x(0))))}" height="14"
 rx="2" fill="${color}" opacity=".6"/>${whisker}<text x="${round(Math.max(x(value), x(high ?? value)) + 4)}"
 y="${y + 11}">${said}</text>`;
    },
  )}</svg>`;
};

const clipped = (name: string): string => (name.length > 20 ? `${name.slice(0, 19)}…` : name);

/** Low and high of values with some room around them; 0 to 1 of none. */
export const spanOf = (values: readonly number[], room = 0.06): readonly [number, number] => {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return [0, 1];
  const low = known.reduce((least, v) => Math.min(least, v));
  const high = known.reduce((most, v) => Math.max(most, v));
  const margin = high > low ? (high - low) * room : Math.max(Math.abs(low) * room, 1e-6);
  return [low - margin, high + margin];
};

const pathOf = (scale: Scale, points: readonly Place[]): string =>
  points.map(([x, y]) => `${scale.x(x)},${scale.y(y)}`).join(" ");

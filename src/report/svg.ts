/*
 * Drawings as SVG, without script: within a page in the page's colours, or as a file of its own in
 * those of paper. All coordinates are numbers of ours; texts are escaped by the templates.
 */
import type { Drawing, Ink, Mark, Spot } from "./drawing.ts";
import { html, nothing, type Safe } from "./html.ts";

/** Colours on white paper: those of the page in the light. */
export const PAPER = {
  ink: "#1c2430",
  dim: "#57606a",
  line: "#d6dbe1",
  accent: "#1f5fbf",
  up: "#0a7d4f",
  down: "#c0362c",
} as const satisfies Readonly<Record<Ink, string>>;

type Paint = (ink: Ink) => string;

/** The drawing as a part of a page, as wide as there is room. */
export const svgOf = ({ title, width, height, marks }: Drawing): Safe =>
  html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">${marks.map((mark) =>
    shapeOf(mark, (ink) => `var(--${ink})`),
  )}</svg>`;

/** The drawing as a file of its own. */
export const svgFile = ({ title, width, height, marks }: Drawing): string =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${
    2 * width
  }" height="${2 * height}" role="img" aria-label="${title}" font-family="system-ui, sans-serif" font-size="11">
<title>${title}</title><rect width="${width}" height="${height}" fill="#fff"/>${marks.map((mark) =>
    shapeOf(mark, (ink) => PAPER[ink]),
  )}</svg>
`.safe;

const shapeOf = (mark: Mark, paint: Paint): Safe => {
  if (mark.kind === "text") return textOf(mark, paint);
  const color = paint(mark.ink);
  if (mark.kind === "line") {
    const { points, width, dash } = mark;
    const [from, to] = points;
    if (dash === null && points.length === 2 && from !== undefined && to !== undefined) {
      return html`<line x1="${from[0]}" y1="${from[1]}" x2="${to[0]}" y2="${to[1]}" stroke="${color}" stroke-width="${width}"/>`;
    }
    const dashes = dash === null ? nothing : html` stroke-dasharray="${dash.join(" ")}"`;
    return html`<polyline points="${pathOf(points)}" fill="none" stroke="${color}" stroke-width="${width}"${dashes}/>`;
  }
  if (mark.kind === "area") {
    return html`<polygon points="${pathOf(mark.points)}" fill="${color}" opacity="${mark.opacity}"/>`;
  }
  const said = saidOf(mark.said);
  if (mark.kind === "disc") {
    return html`<circle cx="${mark.at[0]}" cy="${mark.at[1]}" r="${mark.radius}" fill="${color}">${said}</circle>`;
  }
  return html`<rect x="${mark.at[0]}" y="${mark.at[1]}" width="${mark.width}" height="${mark.height}"
 fill="${color}" opacity="${mark.opacity}">${said}</rect>`;
};

const textOf = (
  { at: [x, y], anchor, text, ink, turned, said }: Extract<Mark, { kind: "text" }>,
  paint: Paint,
): Safe => {
  const turn = turned ? html` transform="rotate(-90 ${x} ${y})"` : nothing;
  // By style, since the page's own rule for texts is stronger than an attribute.
  return html`<text x="${x}" y="${y}" text-anchor="${anchor}" style="fill:${paint(ink)}"${turn}>${text}${saidOf(said)}</text>`;
};

const saidOf = (said: string | null): Safe =>
  said === null ? nothing : html`<title>${said}</title>`;

const pathOf = (points: readonly Spot[]): string => points.map(([x, y]) => `${x},${y}`).join(" ");

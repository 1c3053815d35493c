// Lines over steps, as SVG.

const COLORS = [
  "#1f77b4",
  "#d62728",
  "#2ca02c",
  "#ff7f0e",
  "#9467bd",
  "#8c564b",
  "#17becf",
  "#bcbd22",
  "#e377c2",
  "#7f7f7f",
];
const colorAt = (i) => COLORS[i % COLORS.length];

/** A number as people read it: five digits of it, and no more zeros than it takes. */
function figure(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return String(value ?? "–");
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(3);
  return Number.isInteger(value)
    ? value.toLocaleString("en-US")
    : String(Number(value.toPrecision(5)));
}

/**
 * The points of some runs: [{name, color, points: [[x, y]]}]. What is no finite number is left out, and
 * a line of one point is a dot.
 */
function lineChart(title, lines) {
  const all = lines.flatMap(({ points }) => points.filter(([, y]) => Number.isFinite(y)));
  if (all.length === 0)
    return html`<figure><figcaption>${title}</figcaption><p class="dim">No finite value.</p></figure>`;
  const [left, right] = bounds(all.map(([x]) => x));
  const [low, high] = bounds(all.map(([, y]) => y));
  const x = (value) => 8 + (344 * (value - left)) / (right - left || 1);
  const y = (value) => 14 + (132 * (high - value)) / (high - low || 1);
  const drawn = lines.map(({ name, color, points }) => {
    const good = points.filter(([, value]) => Number.isFinite(value));
    const [first] = good;
    if (first === undefined) return "";
    if (good.length === 1)
      return html`<circle cx="${x(first[0])}" cy="${y(first[1])}" r="3" fill="${color}"><title>${name}</title></circle>`;
    const path = good.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ");
    return html`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="1.5"><title>${name}</title></polyline>`;
  });
  return html`<figure><figcaption>${title}</figcaption>
    <svg viewBox="0 0 360 166" role="img" aria-label="${title}: from ${figure(low)} to ${figure(high)}">
    <line x1="8" x2="352" y1="150" y2="150" stroke="var(--line)"/>${drawn}
    <text x="8" y="11">${figure(high)}</text><text x="8" y="146">${low === high ? "" : figure(low)}</text>
    <text x="8" y="163">${figure(left)}</text><text x="352" y="163" text-anchor="end">${left === right ? "" : figure(right)}</text></svg></figure>`;
}

function bounds(values) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

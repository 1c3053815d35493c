/*
 * Whether something grows: memory goes up and down with each collection of garbage, and what must
 * not rise is what is left after one.
 */

/** Seconds since a start, and what there was. */
export type Point = readonly [at: number, value: number];

const WINDOW_SECONDS = 30;

/** The least of each half minute but the last, which is not whole: what no collection takes. */
export function floorsOf(points: readonly Point[]): Point[] {
  const windows = Map.groupBy(points, ([at]) => Math.floor(at / WINDOW_SECONDS));
  return [...windows.values()]
    .slice(0, -1)
    .map((window) => window.reduce((a, b) => (b[1] < a[1] ? b : a)));
}

/** The slope of the least-squares line through points, of y for each x. */
export function slopeOf(points: readonly Point[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  let [over, under] = [0, 0];
  for (const [x, y] of points) {
    over += (x - mx) * (y - my);
    under += (x - mx) ** 2;
  }
  return over / under;
}

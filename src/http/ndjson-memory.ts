/*
 * Memory while a stream goes by. What has outlived one small collection is looked at again only
 * when the whole heap has grown by half: beside an embedded database that is hundreds of MB, of
 * which a stream of a million rows makes use. A collection of all stops the process for some 50 ms,
 * so it is had only for memory that has really grown.
 */

/** How far the resident memory may grow. */
const GROWTH_BYTES = 16_000_000;
/** Rows between two looks. */
const LOOK_ROWS = 16_384;

/** Told of rows that have gone by; collects garbage where memory has grown over them. */
export function makeTidy(rss = process.memoryUsage.rss, collect = () => Bun.gc(true)) {
  let base = rss();
  let since = 0;
  return (rows: number): void => {
    since += rows;
    if (since < LOOK_ROWS) return;
    since = 0;
    if (rss() - base < GROWTH_BYTES) return;
    collect();
    // What is left is needed, by whomever: it is not looked for again.
    base = Math.max(base, rss());
  };
}

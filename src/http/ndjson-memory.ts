/*
 * Memory while a stream goes by. What has outlived one small collection is looked at again only
 * when the whole heap has grown by half: beside an embedded database that is hundreds of MB, of
 * which a stream of a million rows makes use. A collection of all stops the process for some 50 ms,
 * so it is had once in so many rows, and only where memory has grown.
 */

/** How far the resident memory may grow over what it was when the stream began. */
const GROWTH_BYTES = 12_000_000;
/** Rows between two collections: a fifth of a second at full speed. */
const LOOK_ROWS = 32_768;

/** Told of rows that have gone by; collects garbage where memory has grown over them. */
export function makeTidy(rss = process.memoryUsage.rss, collect = () => Bun.gc(true)) {
  const base = rss();
  let since = 0;
  return (rows: number): void => {
    since += rows;
    if (since < LOOK_ROWS) return;
    since = 0;
    if (rss() - base > GROWTH_BYTES) collect();
  };
}

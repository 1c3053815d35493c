/*
 * What was started or made and must not outlive the benchmark, also when a signal ends it.
 */
const open = new Set<() => Promise<void>>();

/** Notes how something is undone; gives what does so, once, whoever calls it how often. */
export function undoing(undo: () => unknown): () => Promise<void> {
  let undone: Promise<void> | null = null;
  const once = (): Promise<void> => {
    undone ??= (async () => {
      await undo();
      open.delete(once);
    })();
    return undone;
  };
  open.add(once);
  return once;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    // The newest first: a database is dropped when nobody uses it any more.
    for (const undo of [...open].reverse()) await undo().catch(console.error);
    process.exit(130);
  });
}

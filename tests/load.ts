/*
 * A steady load: so many requests a second, each sent when its time has come, whether or not those
 * before it were answered.
 */

/** Starts it; `stop` sends nothing more, waits for what is under way, and tells how many were sent. */
export function steadily(
  perSecond: number,
  one: (number: number) => Promise<void>,
): { stop(): Promise<number> } {
  const begun = performance.now();
  const under = new Set<Promise<void>>();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - begun) / 1_000) * perSecond;
    while (sent < due) {
      const work = one(sent++).finally(() => under.delete(work));
      under.add(work);
    }
  }, 5);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(under);
      return sent;
    },
  };
}

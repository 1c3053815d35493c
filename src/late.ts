/**
 * What the work gives, or what `late` gives or throws where that takes longer than so many
 * milliseconds. The work itself goes on: whoever can end it, ends it.
 */
export async function inTime<Result, Late = never>(
  work: PromiseLike<Result>,
  ms: number,
  late: () => Late,
): Promise<Result | Late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<Late>((resolve, reject) => {
    timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (thrown) {
        reject(thrown);
      }
    }, ms);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** For `inTime`: an error that says how long nobody answered. */
export const noAnswer = (ms: number) => (): never => {
  throw new Error(`no answer in ${ms / 1_000} s`);
};

/*
 * How late answers were: of a version that a promotion, answered before they were asked for, had
 * already replaced. Times are of one clock that never goes back.
 */

export interface Answer {
  readonly sentAt: number;
  readonly cameAt: number;
  readonly version: number;
}

export interface Promotion {
  readonly version: number;
  readonly askedAt: number;
  readonly doneAt: number;
}

/**
 * The answers that were of a version already replaced: by which promotion, and how long before.
 * A version that is promoted again and again is taken as that of the newest promotion that could
 * have given the answer, so what is told apart is as late as it takes to come again.
 */
export function lateness(
  answers: readonly Answer[],
  promotions: readonly Promotion[],
): { promotion: number; ms: number }[] {
  return answers.flatMap(({ sentAt, cameAt, version }) => {
    const made = promotions.findLastIndex(
      (each) => each.version === version && each.askedAt <= cameAt,
    );
    // What was champion before the first of them is replaced by it.
    const promotion = made + 1;
    const ms = sentAt - (promotions[promotion]?.doneAt ?? Number.POSITIVE_INFINITY);
    return ms > 0 ? { promotion, ms } : [];
  });
}

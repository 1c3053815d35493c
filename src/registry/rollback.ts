/*
 * Which champion was before. Pure: a history in, version numbers out.
 *
 * The history is read as a stack. A promotion puts a version on top. A rollback takes the version
 * it left out of the whole stack and goes down to the one it chose. So rolling back again goes
 * further back and never to and fro, and a version that was rolled back from returns only when
 * somebody promotes it.
 */

/** A move of the alias, as far as the reading of history needs it. */
export interface ChampionMove {
  readonly fromVersion: number | null;
  readonly toVersion: number | null;
  readonly reason: string;
}

/** The reason that marks a row of history as a rollback. */
export const rollbackReason = (from: number): string => `rollback from version ${from}`;

/** Champions before the current one, nearest first, from moves in the order they happened. */
export function earlierChampions(moves: readonly ChampionMove[]): number[] {
  let stack: number[] = [];
  let current: number | null = null;
  for (const move of moves) {
    current = move.toVersion;
    // Without a champion (the model was deleted) the numbers before mean nothing any more.
    if (current === null) stack = [];
    else if (isRollback(move)) {
      stack = stack.filter((version) => version !== move.fromVersion);
      stack = stack.slice(0, stack.lastIndexOf(current) + 1);
    } else stack.push(current);
  }
  return [...new Set(stack.filter((version) => version !== current).reverse())];
}

const isRollback = ({ fromVersion, reason }: ChampionMove): boolean =>
  fromVersion !== null && reason === rollbackReason(fromVersion);

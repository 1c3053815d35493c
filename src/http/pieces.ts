/*
 * Bytes of an answer that come in pieces.
 */

/**
 * The same pieces, of which the first is there already: what fails at once can still be told in an
 * answer of its own; later the connection can only break off.
 */
export async function begun(
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const first = await pieces.next();
  return (async function* () {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* pieces;
    } finally {
      // Whoever stops at the first piece ends the others too.
      await pieces.return();
    }
  })();
}

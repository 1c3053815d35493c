/** Lets those who wait on the event loop have their turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/*
 * A service that takes its time: every new connection through here waits before it is passed on.
 */

/** An address of the same form as `target` that leads there `ms` later. */
export function slowly(target: string, ms: number): { readonly url: string; stop(): void } {
  const { hostname, port } = new URL(target);
  interface Pair {
    other: Bun.Socket<Pair> | null;
    /** What came before the other side was there. */
    readonly early: Buffer[];
  }
  const newPair = (other: Pair["other"] = null): Pair => ({ other, early: [] });
  const handlers: Bun.SocketHandler<Pair> = {
    data: ({ data }, bytes) => {
      if (data.other === null) data.early.push(Buffer.from(bytes));
      else data.other.write(bytes);
    },
    close: ({ data }) => void data.other?.end(),
    error: ({ data }) => void data.other?.end(),
  };
  const listener = Bun.listen<Pair>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      ...handlers,
      open: async (socket) => {
        socket.data = newPair();
        await Bun.sleep(ms);
        const other = await Bun.connect<Pair>({
          ...{ hostname, port: Number(port), data: newPair(socket), socket: handlers },
        });
        socket.data.other = other;
        for (const bytes of socket.data.early) other.write(bytes);
      },
    },
  });
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String(listener.port);
  return { url: url.href.replace(/\/$/, ""), stop: () => listener.stop(true) };
}

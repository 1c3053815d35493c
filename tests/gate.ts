/*
 * A way to a server of a story that can be shut, or made slow.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Gate {
  readonly url: string;
  /** Cuts every connection, and takes no more. */
  shut(): void;
  open(): void;
  /** Each connection begins so many milliseconds late, from now on. */
  slow(ms: number): void;
  close(): Promise<void>;
}

/** An address that leads to a server, until it is shut. */
export async function openGate(to: URL): Promise<Gate> {
  let isOpen = true;
  let delayMs = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    if (!isOpen) {
      socket.destroy();
      return;
    }
    setTimeout(() => {
      if (socket.destroyed) return;
      const other = connect(Number(to.port), to.hostname);
      other.on("error", () => socket.destroy());
      other.on("close", () => socket.destroy());
      socket.on("close", () => other.destroy());
      socket.pipe(other).pipe(socket);
    }, delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `${to.protocol}//127.0.0.1:${port}`,
    shut: () => {
      isOpen = false;
      end();
    },
    open: () => {
      isOpen = true;
    },
    slow: (ms) => {
      delayMs = ms;
      end();
    },
    close: async () => {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

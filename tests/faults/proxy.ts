/*
 * A link that can be cut and slowed: a TCP proxy on loopback between one replica and one server.
 */
import { connect, createServer, type Socket } from "node:net";

/**
 * `open` lets all through. `refused`: connections that are there go on, new ones are reset.
 * `cut`: both are reset. `slow`: every piece comes `delayMs` later, in order. `hole`: nothing
 * arrives on either side and nobody is told, as with a firewall that drops; when it ends, what was
 * connected until then is reset, since what was sent into it is lost.
 */
export type LinkMode = "open" | "refused" | "cut" | "slow" | "hole";

export interface Link {
  readonly port: number;
  mode(): LinkMode;
  set(mode: LinkMode): void;
  /** Connections that are open now. */
  connections(): number;
  close(): Promise<void>;
}

export interface LinkOptions {
  /** The port of loopback that it leads to. */
  readonly to: number;
  /** What `slow` adds in each direction. */
  readonly delayMs?: number;
}

const HIGH_WATER = 1 << 20;

/** Opens a link on a free port. */
export async function openLink({ to, delayMs = 150 }: LinkOptions): Promise<Link> {
  let mode: LinkMode = "open";
  const pairs = new Set<readonly [Socket, Socket]>();

  const server = createServer({ noDelay: true }, (near) => {
    if (mode === "cut" || mode === "refused") {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: "127.0.0.1", port: to, noDelay: true });
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = (other: Socket) => () => {
      pairs.delete(pair);
      other.destroy();
    };
    // What went wrong is told by the close that follows.
    near.on("error", () => {}).on("close", end(far));
    far.on("error", () => {}).on("close", end(near));
    relay(near, far);
    relay(far, near);
  });

  /** Hands on what comes, late where the link is slow, and never one piece before another. */
  function relay(from: Socket, to: Socket): void {
    const waiting: { readonly due: number; readonly piece: Buffer | null }[] = [];
    let timer: ReturnType<typeof setTimeout> | null = null;

    function pass(piece: Buffer | null): void {
      if (to.destroyed) return;
      if (piece === null) to.end();
      else if (!to.write(piece) && to.writableLength > HIGH_WATER) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    }
    function flush(): void {
      timer = null;
      for (;;) {
        const next = waiting[0];
        if (next === undefined) return;
        const wait = next.due - performance.now();
        if (wait > 0.5 && mode === "slow") {
          timer = setTimeout(flush, wait);
          return;
        }
        waiting.shift();
        pass(next.piece);
      }
    }
    function take(piece: Buffer | null): void {
      if (mode === "hole") return;
      if (mode !== "slow" && waiting.length === 0) {
        pass(piece);
        return;
      }
      waiting.push({ due: performance.now() + delayMs, piece });
      timer ??= setTimeout(flush, delayMs);
    }
    from.on("data", take).on("end", () => take(null));
    from.on("close", () => {
      if (timer !== null) clearTimeout(timer);
    });
  }

  const reset = () => {
    for (const [near, far] of [...pairs]) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The link has no port.");
  return {
    port: address.port,
    mode: () => mode,
    set: (next) => {
      if (next === "cut" || (mode === "hole" && next !== "hole")) reset();
      mode = next;
    },
    connections: () => pairs.size,
    close: () => {
      reset();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

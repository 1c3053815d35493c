/*
 * A small balancer as teams put one before replicas: round robin over those whose /readyz answered
 * 200 when it was asked last. It never sends a request a second time, so whatever a replica does
 * wrong is seen by the caller.
 */

export interface Balancer {
  readonly url: string;
  /** Requests that it passed on, by replica. */
  readonly passed: readonly number[];
  /** Whether it sends requests to a replica. */
  isUp(replica: number): boolean;
  /** Puts another address in the place of a replica's; it is asked before anything is sent to it. */
  place(replica: number, url: string): void;
  close(): Promise<void>;
}

interface Backend {
  url: string;
  isUp: boolean;
}

/** How long a check may take: one that is gone refuses at once, one that is slow is still up. */
const CHECK_MS = 10_000;

export function openBalancer(urls: readonly string[], everyMs: number): Balancer {
  const backends = urls.map((url): Backend => ({ url, isUp: false }));
  const passed = urls.map(() => 0);
  let turn = 0;
  let isOver = false;

  const check = async (backend: Backend): Promise<void> => {
    while (!isOver) {
      const { url } = backend;
      const signal = AbortSignal.timeout(CHECK_MS);
      const isUp = await fetch(`${url}/readyz`, { signal, keepalive: false }).then(
        async (answer) => {
          await answer.arrayBuffer();
          return answer.status === 200;
        },
        () => false,
      );
      if (backend.url === url) backend.isUp = isUp;
      await Bun.sleep(everyMs);
    }
  };
  const checks = backends.map(check);

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const at = backends.findIndex((_, i) => backends[(turn + i) % backends.length]!.isUp);
      if (at === -1) return new Response("no replica is ready", { status: 502 });
      const chosen = (turn + at) % backends.length;
      turn = chosen + 1;
      passed[chosen]!++;
      const { pathname, search } = new URL(request.url);
      try {
        const answer = await fetch(backends[chosen]!.url + pathname + search, {
          ...{ method: request.method, headers: request.headers },
          ...(request.body === null ? {} : { body: await request.arrayBuffer() }),
        });
        return new Response(await answer.arrayBuffer(), { status: answer.status });
      } catch (thrown) {
        return new Response(`replica ${chosen}: ${thrown}`, { status: 502 });
      }
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    passed,
    isUp: (replica) => backends[replica]!.isUp,
    place: (replica, url) => {
      backends[replica]!.isUp = false;
      backends[replica]!.url = url;
    },
    close: async () => {
      isOver = true;
      await server.stop(true);
      await Promise.all(checks);
    },
  };
}

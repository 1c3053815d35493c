/*
 * Whether the exchange answers, and what time it has. In exchange-clock mode this is what moves
 * the program's time while nothing else is asked.
 */
import { reasonOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Instant } from "../types.ts";

export interface ExchangeState {
  /** Null before the first answer or failure. */
  readonly ok: boolean | null;
  readonly detail: string;
  /** When it became so, in this machine's time. */
  readonly since: Instant;
}

export interface ExchangeWatch {
  state(): ExchangeState;
  /** Asks now; never throws. */
  look(): Promise<void>;
  stop(): void;
}

export interface WatchDeps {
  readonly url: string;
  readonly serverTime: () => Promise<Instant>;
  readonly everyMs: number;
  readonly log: Log;
  /** Called when the exchange answers after it did not. */
  readonly onReachable: () => void;
}

/** Starts looking; says in one line when the exchange is lost and when it is back. */
export function watchExchange(deps: WatchDeps): ExchangeWatch {
  let state: ExchangeState = { ok: null, detail: "not asked yet", since: Date.now() };
  let looking = false;

  function become(ok: boolean, detail: string): void {
    if (state.ok === ok) {
      state = { ...state, detail };
      return;
    }
    state = { ok, detail, since: Date.now() };
    if (ok) {
      deps.log.info("exchange_reachable", { url: deps.url });
      deps.onReachable();
    } else {
      deps.log.warn("exchange_unreachable", { url: deps.url, reason: detail });
    }
  }

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      const time = await deps.serverTime();
      become(true, `answers; its time is ${new Date(time).toISOString()}`);
    } catch (thrown) {
      become(false, reasonOf(thrown));
    } finally {
      looking = false;
    }
  }

  void look();
  const timer = setInterval(look, deps.everyMs);
  return { state: () => state, look, stop: () => clearInterval(timer) };
}

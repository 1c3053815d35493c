/*
 * How a command reaches the routes. While a server holds the data folder, the command talks to it;
 * otherwise the command starts the app in this process, without a schedule and on loopback only,
 * calls the same routes and stops it. So there is one way to do a thing, and a folder that another
 * process holds is never opened.
 */
import { readFile } from "node:fs/promises";
import type { Config } from "../config.ts";
import { reasonOf, SluiceError } from "../errors.ts";
import { lockPath, tokenPath } from "../folder.ts";
import type { Log } from "../log.ts";
import { type Holder, lockHolder } from "../store/lock.ts";
import { type Call, isCut, isRefused, type Route, send, unreachable } from "./client.ts";
import { type OwnAppOptions, ownApp } from "./own-app.ts";

export interface Connection {
  readonly call: Call;
  /** Stops the app when this process started it. */
  close(): Promise<void>;
}

export interface ConnectOptions extends OwnAppOptions {
  /** Told why the command waits: a server that is still starting. */
  readonly onWait?: (reason: string) => void;
  /** How long to wait for a server that starts or comes back. */
  readonly waitMs?: number;
}

const WAIT_MS = 15_000;
const LOOK_MS = 100;

/** Connects to the server of the data folder, or to an app of our own; `close()` it at the end. */
export async function connect(
  config: Config,
  log: Log,
  options: ConnectOptions = {},
): Promise<Connection> {
  const waitMs = options.waitMs ?? WAIT_MS;
  const own = ownApp(config, log, options);
  const holderNow = () => (config.databaseUrl === null ? lockHolder(lockPath(config)) : null);
  let answered = false;
  let route = await open(null);

  /**
   * The server that holds the folder, or else our own app. `gone` is a server that just refused:
   * it may be restarting, and must then find its folder free, so if it has answered before, this
   * process takes the folder only when the wait is over.
   */
  async function open(gone: Holder | null): Promise<Route> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const late = Date.now() >= deadline;
      const holder = holderNow();
      if (holder !== null && holder.url !== null && !isSame(holder, gone)) {
        return { url: holder.url, token: await tokenOf(config) };
      }
      if (holder !== null && late) throw notListening(config, holder);
      if (holder === null && (late || !answered)) {
        try {
          return await own.start();
        } catch (thrown) {
          // Somebody took the folder between our look and our start: look again.
          if (late || !isLocked(thrown)) throw thrown;
        }
      }
      options.onWait?.(holder === null ? "for a server" : `for process ${holder.pid} to listen`);
      await Bun.sleep(LOOK_MS);
    }
  }

  const call: Call = async (method, path, body, init) => {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const holder = holderNow();
      try {
        const answer = await send<never>(route, method, path, body, init);
        answered = true;
        return answer;
      } catch (thrown) {
        const late = Date.now() >= deadline;
        if (thrown instanceof SluiceError) {
          if (late || !mayPass(thrown)) throw thrown;
          options.onWait?.(thrown.message);
          await Bun.sleep(Math.min(1, thrown.retryAfter ?? 1) * 1_000);
        } else {
          if (own.runs) throw interrupted(thrown);
          // Only what was surely not done, or does no harm twice, is sent again.
          const isHarmless = method === "GET" && init?.receive === undefined;
          const again = isRefused(thrown) || (isCut(thrown) && isHarmless);
          if (late || !again) throw unreachable(route.url, thrown);
          route = await open(holder?.url === route.url ? holder : null);
        }
      }
    }
  };

  return { call, close: own.stop };
}

/** A server that came back on the same port is another one: its process is. */
const isSame = (holder: Holder, other: Holder | null): boolean =>
  other !== null && holder.pid === other.pid && holder.url === other.url;

const isLocked = (thrown: unknown): boolean =>
  thrown instanceof SluiceError && thrown.code === "folder_locked";

/**
 * A server that is starting or overloaded says so, with the time to come again. A model without a
 * champion says so too, but that takes a training, which nobody waits for at a prompt.
 */
const mayPass = ({ retryAfter, status, code }: SluiceError): boolean =>
  retryAfter !== null && (status === 503 || status === 429) && code !== "not_ready";

/** The administrator's token: from the environment, or from the file that the first start wrote. */
export async function tokenOf(config: Config): Promise<string> {
  if (config.adminToken !== null) return config.adminToken;
  const text = await readFile(tokenPath(config), "utf8").catch((thrown) => {
    throw new SluiceError({
      code: "no_admin_token",
      status: 401,
      detail: `A server holds ${config.data}, but its token is unknown: ${reasonOf(thrown)}`,
      fix: "Set SLUICE_ADMIN_TOKEN to the token that the server was started with.",
    });
  });
  return text.trim();
}

const notListening = (config: Config, { pid }: Holder): SluiceError =>
  new SluiceError({
    code: "folder_locked",
    status: 409,
    detail: `The data folder ${config.data} is held by process ${pid}, which does not answer.`,
    fix: "Wait until it has started or stop it, or set SLUICE_DATA to another folder.",
  });

const interrupted = (cause: unknown): SluiceError =>
  new SluiceError({
    code: "interrupted",
    detail: "Sluice was stopped before the command was done.",
    fix: "Run it again: a pipeline run that had begun goes on at the step it had reached.",
    cause,
  });

/*
 * The exchange's quotation API, as far as candles need it. Every request goes through the
 * limiter; no key, no Origin, no redirect. What may pass by itself is asked again, what is
 * final is thrown at once.
 */
import { reasonOf, SluiceError } from "../errors.ts";
import { type Instant, iso, UNIT_MINUTES } from "../types.ts";
import {
  type Answer,
  banned,
  blockTimeOf,
  dateOf,
  malformed,
  rowsOf,
  unreachable,
} from "./answer.ts";
import { type Group, type Limiter, realSleep, type Sleep } from "./limiter.ts";

/** One page: rows as they came, the exchange's time of the answer, and what it took. */
export interface Page {
  readonly rows: readonly unknown[];
  readonly date: Instant | null;
  readonly requests: number;
}

export interface Client {
  /** Up to `count` candles that start before `to`, as the exchange orders them. */
  candlesBefore(market: string, to: Instant, count?: number, signal?: AbortSignal): Promise<Page>;
  /** The exchange's time by its Date header, whole seconds. One try, a short deadline. */
  serverTime(signal?: AbortSignal): Promise<Instant>;
}

interface ClientOptions {
  /** Base of the quotation API, without `/v1`. */
  readonly url: string;
  readonly limiter: Limiter;
  readonly fetch?: (url: URL, init: RequestInit) => Promise<Response>;
  /** Called with the Date of every whole answer. */
  readonly onDate?: (date: Instant) => void;
  readonly sleep?: Sleep;
  /** Deadline of one request. */
  readonly timeoutMs?: number;
  /** Tries of one page before its outcome is thrown. */
  readonly attempts?: number;
}

const TIMEOUT_MS = 10_000;
const TIME_TIMEOUT_MS = 3_000;
/** Eight different passing failures in a row have been rehearsed; ten tries take about 30 s. */
const ATTEMPTS = 10;
/** A redirect is a wrong address far more often than a passing failure. */
const REDIRECT_ATTEMPTS = 2;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5_000;
/** A longer block is thrown with its time instead of being sat out here. */
const PATIENCE_MS = 90_000;
/** A full page is 80 kB. */
const LARGEST_BODY = 4_000_000;

/** Makes the client. Its calls throw SluiceErrors `upstream_*`, or what `signal` aborts with. */
export function makeClient(options: ClientOptions): Client {
  const { limiter, onDate, sleep = realSleep } = options;
  const { timeoutMs = TIMEOUT_MS, attempts = ATTEMPTS } = options;
  const send = options.fetch ?? ((url, init) => fetch(url, init));
  const base = options.url.replace(/\/+$/, "");

  async function candlesBefore(market: string, to: Instant, count = 200, signal?: AbortSignal) {
    const query = new URLSearchParams({ market, to: iso(to), count: String(count) });
    const url = new URL(`${base}/v1/candles/minutes/${UNIT_MINUTES}?${query}`);
    const about = `${market} before ${iso(to)}`;
    let redirects = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await ask(url, "GET", "candle", timeoutMs, about, signal);
        return { rows: rowsOf(answer, about), date: dateOf(answer.headers), requests: attempt };
      } catch (thrown) {
        if (!(thrown instanceof SluiceError) || thrown.code === "upstream_rejected") throw thrown;
        if (thrown.code === "upstream_redirect") redirects++;
        if (attempt >= attempts || redirects >= REDIRECT_ATTEMPTS) throw thrown;
        // After 429 and 418 the limiter itself knows how long to wait.
        if (limiter.heldFor() === 0) await sleep(backoff(attempt), signal);
      }
    }
  }

  async function serverTime(signal?: AbortSignal) {
    const url = new URL(`${base}/v1/market/all`);
    const about = "The exchange's time";
    // Any answer tells the time, even a refusal; HEAD spares the 40 kB of the list.
    const answer = await ask(url, "HEAD", "market", TIME_TIMEOUT_MS, about, signal);
    const date = dateOf(answer.headers);
    if (date === null) throw malformed(`${about} came without a Date header`);
    return date;
  }

  async function ask(
    url: URL,
    method: string,
    group: Group,
    deadlineMs: number,
    about: string,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const held = limiter.heldFor(group);
    if (held > (group === "market" ? deadlineMs : PATIENCE_MS)) {
      throw banned(`${about} was not asked for; after a refusal`, held);
    }
    await limiter.acquire(group, signal);
    const deadline = AbortSignal.timeout(deadlineMs);
    let answer: Answer;
    try {
      const response = await send(url, {
        method,
        redirect: "manual",
        // On a kept connection that breaks, Bun's fetch repeats a GET by itself: a request that
        // the limiter never counted. A new connection a page costs less than a block.
        keepalive: false,
        headers: { accept: "application/json" },
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      });
      const text = await readBounded(response, about);
      answer = { status: response.status, headers: response.headers, text };
    } catch (thrown) {
      signal?.throwIfAborted();
      if (thrown instanceof SluiceError) throw thrown;
      const reason = deadline.aborted ? `no answer in ${deadlineMs} ms` : reasonOf(thrown);
      throw unreachable(about, reason, thrown);
    }
    note(answer, group);
    return answer;
  }

  /** What every whole answer tells besides its rows: the time, and how fast to go on. */
  function note(answer: Answer, group: Group): void {
    const date = dateOf(answer.headers);
    if (date !== null) onDate?.(date);
    limiter.heard(answer.headers.get("remaining-req"), group);
    if (answer.status === 429) limiter.slowDown(group);
    else if (answer.status === 418) limiter.ban(blockTimeOf(answer));
    else if (answer.status < 400) limiter.passed();
  }

  return { candlesBefore, serverTime };
}

/** Reads a body to its end, but not beyond the bound. */
async function readBounded(response: Response, about: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    // Leaving the loop cancels the stream, so nothing stays open.
    if (size > LARGEST_BODY) throw malformed(`${about} answered more than ${LARGEST_BODY} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Exponential with full jitter over its upper half, so that replicas do not knock together. */
const backoff = (attempt: number): number =>
  Math.min(FIRST_BACKOFF_MS * 2 ** (attempt - 1), LONGEST_BACKOFF_MS) * (0.5 + Math.random() / 2);

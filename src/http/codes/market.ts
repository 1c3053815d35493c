/*
 * Codes of candles and of the exchange.
 */
import type { CodeRows } from "./row.ts";

export const marketCodes: CodeRows = {
  bad_candle: [
    "Candle against the rules",
    "A candle has values that no trading could give.",
    "See the quarantine; collect the slot again.",
  ],
  exchange_unreachable: [
    "Exchange not reached",
    "The exchange has not answered since the start, so its time is not known.",
    "Check UPBIT_URL and the network; /readyz tells when it answers.",
  ],
  upstream_banned: [
    "Banned by the exchange",
    "The exchange refuses this address for a while because of too many requests.",
    "Wait; other programs behind the same address count too.",
  ],
  upstream_error: [
    "Exchange failed",
    "The exchange answered with an error of its own.",
    "Wait: it is asked again.",
  ],
  upstream_maintenance: [
    "Exchange under maintenance",
    "The exchange says that it is being maintained.",
    "Wait: what is missing is collected afterwards.",
  ],
  upstream_malformed: [
    "Exchange answered nonsense",
    "An answer of the exchange is not of the form that its documentation promises.",
    "Check UPBIT_URL; a proxy in between may have answered.",
  ],
  upstream_no_progress: [
    "Exchange repeats itself",
    "Paging through candles, the exchange gave the same page again.",
    "Wait: the walk is taken up again at the next run.",
  ],
  upstream_rate_limited: [
    "Slowed down by the exchange",
    "Too many requests in a second.",
    "Wait: Sluice keeps to the limit by itself.",
  ],
  upstream_redirect: [
    "Exchange moved",
    "The exchange answered with a redirect, which is not followed.",
    "Set UPBIT_URL to the address that it points to, if that is the exchange's.",
  ],
  upstream_rejected: [
    "Refused by the exchange",
    "The exchange does not accept the request: most often it does not know the market.",
    "Check the market's name in the model file.",
  ],
  upstream_unreachable: [
    "Exchange not reached",
    "No connection to the exchange, or no answer in time.",
    "Check UPBIT_URL and the network.",
  ],
  verification_failed: [
    "Candles not fit to learn from",
    "Verification of the stored candles failed.",
    "See GET /admin/verify; nothing is learned until it passes.",
  ],
};

/*
 * Stored candles of a market, oldest first, with the holes between them.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { assertMarket } from "../flow/control.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import { type Instant, iso, UNIT_MS } from "../types.ts";
import { candlesAnswer } from "./answers.ts";
import { exact, instant, limit, pageToken } from "./fields.ts";
import { type GuardedRoute, route } from "./route.ts";
import { candleView } from "./views.ts";

const MOST = 5_000;
const startKey = v.tuple([v.pipe(v.number(), v.safeInteger())]);

const query = exact({
  from: v.optional(v.pipe(instant, v.description("Starts of candles from here on."))),
  to: v.optional(v.pipe(instant, v.description("Starts of candles before this."))),
  as_of: v.optional(v.pipe(instant, v.description("Only what was known at this instant."))),
  limit: limit(MOST, 200),
  after: pageToken,
});

export const candleRoutes: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/v1/candles/:market",
    group: "read",
    tag: "candles",
    summary: "Closed candles of a market, oldest first",
    query,
    gives: candlesAnswer,
    handle: async ({ services, params: { market }, query }) => {
      assertMarket(market, services.models);
      const after = keysIn(query.after, startKey);
      const from = after === null ? query.from : after[0] + 1;
      if (query.from !== undefined && query.to !== undefined && query.from > query.to) {
        throw reversed(query.from, query.to);
      }
      const rows = await services.candles.read(market, {
        ...given({ from, to: query.to, asOf: query.as_of }),
        limit: query.limit + 1,
      });
      const { items, next } = pageOf(rows, query.limit, (row) => [row.start]);
      const last = items.at(-1);
      // The holes of this page: up to its last candle, or to the end of the range on the last one.
      const to = next === null || last === undefined ? query.to : last.start + UNIT_MS;
      const holes = await services.candles.holesOf(market, given({ from, to }), [
        "unknown",
        "confirmed_empty",
      ]);
      return {
        market,
        items: items.map(candleView),
        holes: holes.map(({ start, state }) => ({ start: iso(start), state })),
        next,
      };
    },
  }),
];

/** The members that are not undefined. */
const given = <T extends object>(range: T) =>
  Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };

const reversed = (from: Instant, to: Instant): SluiceError =>
  new SluiceError({
    code: "bad_range",
    status: 422,
    detail: `"from" ${iso(from)} is after "to" ${iso(to)}.`,
    fix: 'Give "from" before "to".',
    faults: [{ path: "from", message: "expected an instant before `to`" }],
  });

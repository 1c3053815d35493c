/*
 * What an administrator asks for: training, moving the champion, collecting again, looking at
 * what verification found, and the tokens of others.
 */
import * as v from "valibot";
import { SluiceError } from "../errors.ts";
import { assertMarket } from "../flow/control.ts";
import { keysIn, pageOf } from "../registry/page.ts";
import { SCOPES } from "../store/token.ts";
import {
  idAnswer,
  movedAnswer,
  quarantineAnswer,
  retrainAnswer,
  revokedAnswer,
  tokenAnswer,
  tokensAnswer,
  verifyAnswer,
} from "./answers.ts";
import { exact, instant, market, name, page, version } from "./fields.ts";
import { assertModel } from "./models.ts";
import { type GuardedRoute, route } from "./route.ts";
import type { HttpServices } from "./services.ts";
import { movedView, quarantineView, tokenView, verifyView } from "./views.ts";

const idKey = v.tuple([v.pipe(v.number(), v.safeInteger(), v.minValue(1))]);

const SCOPES_FORM = `expected a list of ${SCOPES.join(", ")}`;
const scopes = v.pipe(
  v.array(v.picklist(SCOPES, SCOPES_FORM), SCOPES_FORM),
  v.minLength(1, SCOPES_FORM),
  v.check((list) => new Set(list).size === list.length, "expected each scope once"),
);

const models: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/admin/models/:model/retrain",
    group: "admin",
    tag: "models",
    summary: "Train, evaluate and, if the gates pass, promote",
    status: 202,
    gives: retrainAnswer,
    handle: async ({ services, params }) => {
      await assertTrained(params.model, services);
      return { run: (await services.control.retrain(params.model)).id };
    },
  }),
  route({
    method: "POST",
    path: "/admin/models/:model/promote",
    group: "admin",
    tag: "models",
    summary: "Make a version champion, if it passes the gates",
    body: exact({
      version,
      expected: v.optional(v.nullable(version)),
      force: v.optional(v.boolean("expected true or false"), false),
    }),
    gives: movedAnswer,
    handle: async ({ services, params, body: { version, expected, force }, actor }) => {
      await assertModel(params.model, services);
      const order = { version, force, actor, ...(expected === undefined ? {} : { expected }) };
      return movedView(await services.operations.promote(params.model, order));
    },
  }),
  route({
    method: "POST",
    path: "/admin/models/:model/rollback",
    group: "admin",
    tag: "models",
    summary: "Make the champion before the current one champion again",
    body: exact({ expected: v.optional(version) }),
    gives: movedAnswer,
    handle: async ({ services, params, body: { expected }, actor }) => {
      await assertModel(params.model, services);
      const order = { actor, ...(expected === undefined ? {} : { expected }) };
      return movedView(await services.operations.rollback(params.model, order));
    },
  }),
];

const candles: readonly GuardedRoute[] = [
  route({
    method: "POST",
    path: "/admin/backfill",
    group: "admin",
    tag: "candles",
    summary: "Collect a span of a market again",
    body: exact({ market, from: instant, to: instant }),
    status: 202,
    gives: idAnswer,
    handle: async ({ services, body: { market, from, to } }) => ({
      id: (await services.control.backfill(market, from, to)).id,
    }),
  }),
  route({
    method: "GET",
    path: "/admin/verify",
    group: "admin",
    tag: "candles",
    summary: "Verify the stored candles of one market, or of all",
    query: exact({ market: v.optional(market) }),
    gives: verifyAnswer,
    handle: async ({ services, query }) => {
      if (query.market !== undefined) assertMarket(query.market, services.models);
      const reports = await services.operations.verify(query.market ?? null);
      return { items: reports.map(verifyView), next: null };
    },
  }),
  route({
    method: "GET",
    path: "/admin/quarantine",
    group: "admin",
    tag: "candles",
    summary: "Rows that verification refused, newest first",
    query: exact({ market: v.optional(market), ...page }),
    gives: quarantineAnswer,
    handle: async ({ services, query: { market, limit, before } }) => {
      if (market !== undefined) assertMarket(market, services.models);
      const keys = keysIn(before, idKey);
      const rows = await services.candles.quarantined({
        limit: limit + 1,
        ...(market === undefined ? {} : { market }),
        ...(keys === null ? {} : { before: keys[0] }),
      });
      const { items, next } = pageOf(rows, limit, (row) => [row.id]);
      return { items: items.map(quarantineView), next };
    },
  }),
];

const tokens: readonly GuardedRoute[] = [
  route({
    method: "GET",
    path: "/admin/tokens",
    group: "admin",
    tag: "tokens",
    summary: "Every token's name, scopes and dates",
    gives: tokensAnswer,
    handle: async ({ services }) => ({
      items: (await services.tokens.list()).map(tokenView),
      next: null,
    }),
  }),
  route({
    method: "POST",
    path: "/admin/tokens",
    group: "admin",
    tag: "tokens",
    summary: "Make a token; it is shown this once",
    body: exact({ name, scopes }),
    status: 201,
    gives: tokenAnswer,
    handle: async ({ services, body: { name, scopes } }) => ({
      name,
      scopes,
      token: await services.tokens.create(name, scopes),
    }),
  }),
  route({
    method: "DELETE",
    path: "/admin/tokens/:token",
    group: "admin",
    tag: "tokens",
    summary: "End a token at once",
    gives: revokedAnswer,
    handle: async ({ services, params, forgetTokens }) => {
      const revoked = await services.tokens.revoke(params.token);
      forgetTokens();
      if (!revoked) throw unknownToken(params.token);
      return { name: params.token, revoked: true };
    },
  }),
];

export const adminRoutes: readonly GuardedRoute[] = [...models, ...candles, ...tokens];

/** Throws where there is no model file to train by: `unknown_model` (404), `no_pipeline` (422). */
async function assertTrained(name: string, services: HttpServices): Promise<void> {
  await assertModel(name, services);
  if (services.models.has(name)) return;
  throw new SluiceError({
    code: "no_pipeline",
    status: 422,
    detail: `Model ${name} has no model file: it is registered, not trained here.`,
    fix: `Register its next version (sluice register ${name} FILE), or add a model file.`,
  });
}

const unknownToken = (name: string): SluiceError =>
  new SluiceError({
    code: "unknown_token",
    status: 404,
    detail: `No live token has the name "${name}".`,
    fix: "Look the name up in GET /admin/tokens.",
  });

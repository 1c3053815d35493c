/*
 * Who may call. Deny by default: a route names its group, and only `open` needs no word from the
 * configuration to be open.
 */
import { timingSafeEqual } from "node:crypto";
import type { Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import type { TokenInfo, Tokens } from "../store/tokens.ts";
import type { Group } from "./route.ts";

/** What a protocol accepts beside a bearer token whose scope is that of the route. */
export interface Keys {
  /** Basic authentication, by any name, with a token as the password. */
  readonly basic: boolean;
  /** A token of scope `track` also reads. */
  readonly track: boolean;
}

export interface Auth {
  /** The actor for the history; `no_token` and `bad_bearer` (401), `forbidden` (403). */
  admit(
    group: Group,
    request: Request,
    services: AuthServices,
    keys?: Keys,
  ): string | Promise<string>;
  /** Forgets the tokens found lately. */
  forget(): void;
}

interface AuthServices {
  readonly tokens: Pick<Tokens, "find">;
  readonly adminToken: string;
}

/** How long a token that was found is taken as good: a revocation elsewhere bites after this. */
const REMEMBER_MS = 1_000;
const REMEMBER_MOST = 1_000;

/** The form of every token that is made here; nothing else is looked up. */
const TOKEN_FORM = /^sluice_[\w-]{43}$/;

/** The guard of all routes. */
export function makeAuth({ open }: Pick<Config, "open">): Auth {
  const found = new Map<string, { info: TokenInfo; until: number }>();

  async function find(token: string, tokens: AuthServices["tokens"]): Promise<TokenInfo | null> {
    if (!TOKEN_FORM.test(token)) return null;
    const known = found.get(token);
    if (known !== undefined && known.until > Date.now()) return known.info;
    found.delete(token);
    const info = await tokens.find(token);
    if (info === null) return null;
    if (found.size >= REMEMBER_MOST) found.clear();
    found.set(token, { info, until: Date.now() + REMEMBER_MS });
    return info;
  }

  return {
    forget: () => found.clear(),
    admit: (group, request, services, keys = BEARER) =>
      group === "open" || (group !== "admin" && open.includes(group))
        ? "anyone"
        : bearerOf(group, request, services, keys),
  };

  async function bearerOf(
    group: Exclude<Group, "open">,
    request: Request,
    services: AuthServices,
    keys: Keys,
  ) {
    const header = request.headers.get("authorization");
    if (header === null) throw noToken(group);
    const bearer = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(header)?.[1];
    const token = bearer ?? (keys.basic ? passwordIn(header) : undefined);
    if (token === undefined) throw badBearer();
    if (isSame(token, services.adminToken)) return "admin";
    const info = await find(token, services.tokens);
    if (info === null) throw badBearer();
    const { scopes } = info;
    const reads = keys.track && group === "read" && scopes.includes("track");
    if (!scopes.includes("admin") && !scopes.includes(group) && !reads) {
      throw forbidden(info.name, group);
    }
    return `${info.scopes.includes("admin") ? "admin" : "token"}:${info.name}`;
  }
}

const BEARER: Keys = { basic: false, track: false };

/** The password of a Basic header, or undefined. */
function passwordIn(header: string): string | undefined {
  const encoded = /^Basic +([\w+/]{1,1024}={0,2})$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  return /^[^:]*:([\x21-\x7e]{1,512})$/.exec(Buffer.from(encoded, "base64").toString())?.[1];
}

/** Compared by digest, in a time that tells nothing of how much was right. */
const isSame = (given: string, expected: string): boolean =>
  expected !== "" && timingSafeEqual(digest(given), digest(expected));

const digest = (text: string): Buffer =>
  Buffer.from(new Bun.CryptoHasher("sha256").update(text).digest());

const noToken = (group: Group): SluiceError =>
  new SluiceError({
    code: "no_token",
    status: 401,
    detail: "This route needs a token.",
    fix: `Send "Authorization: Bearer <token>" with one of scope ${group} (sluice token create).`,
  });

const badBearer = (): SluiceError =>
  new SluiceError({
    code: "bad_bearer",
    status: 401,
    detail: "The token is not known or was revoked.",
    fix: 'Send "Authorization: Bearer <token>" with a live token (sluice token list).',
  });

const forbidden = (name: string, group: Group): SluiceError =>
  new SluiceError({
    code: "forbidden",
    status: 403,
    detail: `The token "${name}" lacks the scope ${group}.`,
    fix: `Use a token of scope ${group} (sluice token create).`,
  });

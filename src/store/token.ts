/*
 * What a bearer token is, for those who need not know where tokens are kept.
 */

/** What a token may be for. */
export const SCOPES = ["read", "predict", "track", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** 256 random bits in URL-safe text, with a prefix that secret scanners can look for. */
export const newToken = (): string =>
  `sluice_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`;

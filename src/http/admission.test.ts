import { expect, test } from "bun:test";
import { silentLog } from "../log.ts";
import { type Admission, makeAdmission, type Verdict } from "./admission.ts";

const LIMITS = { concurrent: 10, token: null, address: null, proxies: 0 };
const BUSY = 11;

function make(limits: Partial<Parameters<typeof makeAdmission>[0]["limits"]>, inFlight = 1) {
  return makeAdmission({
    limits: { ...LIMITS, ...limits },
    redisUrl: null,
    log: silentLog,
    inFlight: () => inFlight,
  });
}

const codeOf = async (verdict: Verdict): Promise<string | null> => (await verdict)?.code ?? null;
const ask = (admission: Admission, path: string, address = "192.0.2.1", headers = {}) =>
  admission.arrival(new Request(`http://localhost${path}`, { headers }), {
    requestIP: () => ({ address }),
  });

test("without limits nothing is waited for, not even a promise", () => {
  const admission = make({});
  expect(ask(admission, "/v1/models")).toBeNull();
  expect(admission.actor("token:x")).toBeNull();
});

test("beyond the requests under way everything is sent away but probes and metrics", async () => {
  const admission = make({}, BUSY);
  const error = await ask(admission, "/v1/models/btc/predict");
  expect([error?.code, error?.status, error?.retryAfter]).toEqual(["too_busy", 429, 1]);
  const exempt = ["/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"];
  for (const path of [...exempt, "/readyz?x=1"]) expect(ask(admission, path)).toBeNull();
  for (const path of ["/healthz/", "/x/healthz", "/metricsx", "/?/healthz", "/#/healthz"]) {
    expect([path, await codeOf(ask(admission, path))]).toEqual([path, "too_busy"]);
  }
  expect(ask(make({}, BUSY - 1), "/v1/models")).toBeNull();
});

test("an address has its rate, probes aside, whatever it says of itself", async () => {
  const admission = make({ address: { requests: 1, seconds: 60 } });
  const forged = { "x-forwarded-for": "198.51.100.1" };
  expect(await codeOf(ask(admission, "/v1/models"))).toBeNull();
  expect(await codeOf(ask(admission, "/v1/models", "192.0.2.1", forged))).toBe("rate_limited");
  expect(await codeOf(ask(admission, "/v1/models", "192.0.2.2"))).toBeNull();
  expect(ask(admission, "/readyz")).toBeNull();
});

test("behind a proxy that is trusted it is the address that the proxy tells", async () => {
  const admission = make({ address: { requests: 1, seconds: 60 }, proxies: 1 });
  const from = (address: string) => ({ "x-forwarded-for": address });
  expect(await codeOf(ask(admission, "/", "10.0.0.1", from("198.51.100.1")))).toBeNull();
  expect(await codeOf(ask(admission, "/", "10.0.0.1", from("198.51.100.2")))).toBeNull();
  expect(await codeOf(ask(admission, "/", "10.0.0.1", from("x, 198.51.100.2")))).toBe(
    "rate_limited",
  );
});

test("a token has its rate, and who has none is not counted", async () => {
  const admission = make({ token: { requests: 1, seconds: 60 } });
  expect(await codeOf(admission.actor("token:a"))).toBeNull();
  expect(await codeOf(admission.actor("token:a"))).toBe("rate_limited");
  expect(await codeOf(admission.actor("token:b"))).toBeNull();
  for (let i = 0; i < 3; i++) expect(admission.actor("anyone")).toBeNull();
});

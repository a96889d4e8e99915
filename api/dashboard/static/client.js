// Calls the API with the token. A request that the server refuses ends as a Problem, one that does not reach the server
// as Unreachable.

import { askToken } from "./token.js";

const TIMEOUT_MS = 20_000;

/** An error response of the API (RFC 9457): `detail` says what is wrong and what to do. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** No response arrived. */
export class Unreachable extends Error {
  constructor() {
    super(
      "The server cannot be reached. This step may or may not have taken effect: check the figures once it is back.",
    );
  }
}

/** Fires "lost" when a request did not reach the server. */
export const line = new EventTarget();

/** The path of a campaign, or of something below it. */
export function path(campaignId, ...rest) {
  return ["/campaigns", campaignId, ...rest].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");
}

/** The header with the API token, or no header if this tab has no token. */
export function credentials() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * Send a request; resolves to the response, whose status is a success. Asks for the token if the server needs one.
 *
 * Throws Problem, Unreachable, or an AbortError if `signal` was aborted.
 */
export async function send(method, address, { body, headers = {}, signal, timeoutMs = TIMEOUT_MS } = {}) {
  const answer = await reach(method, address, { body, headers, signal, timeoutMs });
  if (answer.ok) return answer;
  if (answer.status === 401) {
    await askToken(Boolean(sessionStorage.getItem("token")));
    return send(method, address, { body, headers, signal, timeoutMs });
  }
  throw await problem(answer);
}

async function reach(method, address, { body, headers, signal, timeoutMs }) {
  const signals = [signal, timeoutMs && AbortSignal.timeout(timeoutMs)].filter(Boolean);
  try {
    return await fetch(address, {
      method,
      body,
      headers: { ...credentials(), ...headers },
      signal: signals.length ? AbortSignal.any(signals) : undefined,
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    line.dispatchEvent(new Event("lost"));
    throw new Unreachable();
  }
}

async function problem(answer) {
  try {
    return new Problem(answer.status, await answer.json());
  } catch {
    return new Problem(answer.status, {});
  }
}

/** GET; resolves to the JSON of the response. */
export async function get(address, options) {
  return (await send("GET", address, options)).json();
}

/** POST, or another method, with a JSON body; resolves to the JSON of the response, or null if it has none. */
export async function post(address, value = {}, { method = "POST", headers = {}, ...options } = {}) {
  const answer = await send(method, address, {
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", ...headers },
    ...options,
  });
  return answer.status === 204 ? null : answer.json();
}

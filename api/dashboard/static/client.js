// Calls the API with the token; tells apart what the server refuses (Problem) and what does not reach it (Unreachable).

import { askToken } from "./token.js";

const TIMEOUT_MS = 20_000;

/** An answer of the API that is an error, as RFC 9457 has it: `detail` says what to do. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.body = body;
  }
}

/** No answer at all. */
export class Unreachable extends Error {
  constructor() {
    super(
      "The server cannot be reached. Whether this step was taken is not known: look at the figures once it is back.",
    );
  }
}

/** Hears "lost" when a call did not reach the server. */
export const line = new EventTarget();

/** The path of a campaign, or of something below it. */
export function path(campaignId, ...rest) {
  return ["/campaigns", campaignId, ...rest].map((part, at) => (at ? encodeURIComponent(part) : part)).join("/");
}

/** Headers that a call needs besides its own; asked for where the token is needed and not known. */
export function credentials() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/**
 * A request; its answer, whose status is good.
 *
 * Throws Problem, Unreachable, or an AbortError where `signal` was the cause.
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

/** GET; the JSON of the answer. */
export async function get(address, options) {
  return (await send("GET", address, options)).json();
}

/** POST with JSON, or any other method; the JSON of the answer, or null where it has none. */
export async function post(address, value = {}, { method = "POST", headers = {}, ...options } = {}) {
  const answer = await send(method, address, {
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", ...headers },
    ...options,
  });
  return answer.status === 204 ? null : answer.json();
}

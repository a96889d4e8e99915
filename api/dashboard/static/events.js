// Server-Sent Events through fetch, which can send the token; EventSource cannot.

import { Problem, send } from "./client.js";
import { back } from "./connection.js";

/** The server sends something at least every 15 s; after this much silence, in ms, the connection counts as dead. */
const SILENCE_MS = 40_000;
const RETRY_MS = 1_000;

/**
 * Follow a stream of JSON objects until the returned function is called. The stream reconnects on its own, and pauses
 * while the page is hidden, since browsers allow few connections per server.
 *
 * `onProblem` is called with a refusal (a Problem: 404 once the campaign is deleted), which ends the stream.
 */
export function follow(address, { onObject, onProblem }) {
  const ended = new AbortController();
  let pausing = null;
  const onVisibility = () => document.hidden && pausing?.abort();
  document.addEventListener("visibilitychange", onVisibility, { signal: ended.signal });

  async function run() {
    while (!ended.signal.aborted) {
      await visible();
      if (ended.signal.aborted) return;
      pausing = new AbortController();
      try {
        await listen(address, onObject, AbortSignal.any([ended.signal, pausing.signal]));
      } catch (error) {
        if (error instanceof Problem && error.status < 500) {
          if (!ended.signal.aborted) onProblem(error);
          return;
        }
      }
      if (document.hidden) continue;
      await Promise.all([back(), new Promise((resolve) => setTimeout(resolve, RETRY_MS))]);
    }
  }

  run();
  return () => ended.abort();
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
}

async function listen(address, onObject, signal) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const both = AbortSignal.any([signal, silence.signal]);
    const answer = await send("GET", address, { headers: { Accept: "text/event-stream" }, signal: both, timeoutMs: 0 });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const events = (buffer + value).split("\n\n");
      buffer = events.pop();
      for (const event of events) take(event, onObject);
    }
  } finally {
    clearTimeout(timer);
  }
}

function take(event, onObject) {
  const data = event
    .split("\n")
    .filter((text) => text.startsWith("data:"))
    .map((text) => text.slice(5).trimStart());
  if (data.length) onObject(JSON.parse(data.join("\n")));
}

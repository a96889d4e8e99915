// Checks whether the server and its services can be reached; shows trouble in the banner and fires "back" after it.

import { line } from "./client.js";
import { fill, h } from "./dom.js";

const CHECK_MS = 5_000;
const CHECK_AWAY_MS = 1_000;
const PATIENCE_MS = 8_000;

/** Fires "back" when the server can be reached again. */
export const connection = new EventTarget();

let trouble = null;
let timer = null;
let checking = false;

/** Start checking the connection. */
export function begin() {
  line.addEventListener("lost", () => {
    become("The server cannot be reached.");
    schedule(CHECK_AWAY_MS);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) check();
  });
  window.addEventListener("online", check);
  check();
}

/** Resolves when the server can be reached: at once, or after the trouble. */
export function back() {
  if (!trouble) return Promise.resolve();
  return new Promise((resolve) => connection.addEventListener("back", resolve, { once: true }));
}

async function check() {
  if (checking) return;
  checking = true;
  become(await look());
  checking = false;
  schedule(trouble ? CHECK_AWAY_MS : CHECK_MS);
}

async function look() {
  try {
    const answer = await fetch("/readyz", {
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (answer.ok) return null;
    const { detail } = await answer.json();
    return `The server is not ready: ${detail}`;
  } catch {
    return "The server cannot be reached.";
  }
}

function schedule(wait) {
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? schedule(CHECK_MS) : check()), wait);
}

function become(now) {
  if (now === trouble) return;
  const before = trouble;
  trouble = now;
  show();
  if (before && !now) connection.dispatchEvent(new Event("back"));
}

function show() {
  const banner = document.getElementById("banner");
  banner.hidden = !trouble;
  document.body.classList.toggle("stale", Boolean(trouble));
  fill(
    banner,
    trouble && [
      h("strong", {}, trouble),
      " The figures may be out of date. Retrying every second; this page recovers on its own.",
    ],
  );
}

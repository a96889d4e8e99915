// Checks whether the server, its services and the workers are there; shows trouble in the banner and fires "back"
// after it.

import { line } from "./client.js";
import { fill, h } from "./dom.js";

const CHECK_MS = 5_000;
const CHECK_AWAY_MS = 1_000;
const PATIENCE_MS = 12_000;

/** Fires "back" when the server can be reached again, and "workers" when their number has changed. */
export const connection = new EventTarget();

/**
 * @typedef {object} Trouble
 * @property {string} what is wrong
 * @property {string} advice what to do
 * @property {boolean} stale whether the figures may be out of date
 * @property {boolean} away whether requests fail
 */

const UNREACHABLE = {
  what: "The server cannot be reached.",
  advice: "Check that the web process runs and that this computer is online.",
  stale: true,
  away: true,
};
const NO_WORKER = {
  what: "No worker is running.",
  advice:
    "Nothing is sent, and no list is read, until one starts: dramatiq actors. make run and docker compose start them again by themselves; their output says why one ended.",
  stale: false,
  away: false,
};

/** @type {Trouble|null} */
let trouble = null;
/** The number of workers alive; null: not known. */
let workers = null;
let timer = null;
let checking = false;

/** Start checking the connection. */
export function begin() {
  line.addEventListener("lost", () => {
    become(UNREACHABLE);
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
  if (!trouble?.away) return Promise.resolve();
  return new Promise((resolve) => connection.addEventListener("back", resolve, { once: true }));
}

/** How many workers are alive; null: not known. */
export function aliveWorkers() {
  return workers;
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
    const body = await answer.json();
    count(answer.ok ? (body.workers ?? null) : null);
    if (answer.ok) return workers === 0 ? NO_WORKER : null;
    return unready(body.detail ?? `The server answered ${answer.status}.`);
  } catch {
    count(null);
    return UNREACHABLE;
  }
}

/** What follows from the service that the server misses. */
function unready(detail) {
  const redis = /Redis/.test(detail);
  return {
    what: `The server is not ready: ${detail}`,
    advice: redis
      ? "Nothing is sent until Redis is back; no email is lost and none is sent twice. Look at Redis and its log."
      : "Uploads and previews wait, and sending stops once what was read ahead is sent. Look at the object store and its log.",
    stale: redis,
    away: true,
  };
}

function count(now) {
  if (now === workers) return;
  workers = now;
  connection.dispatchEvent(new Event("workers"));
}

function schedule(wait) {
  clearTimeout(timer);
  timer = setTimeout(() => (document.hidden ? schedule(CHECK_MS) : check()), wait);
}

function become(now) {
  if (now?.what === trouble?.what) return;
  const before = trouble;
  trouble = now;
  show();
  if (before?.away && !now?.away) connection.dispatchEvent(new Event("back"));
}

function show() {
  const banner = document.getElementById("banner");
  banner.hidden = !trouble;
  document.body.classList.toggle("stale", Boolean(trouble?.stale));
  if (!trouble) return fill(banner);
  const old = trouble.stale ? " The figures may be out of date." : "";
  const heals = trouble.away ? " Retrying every second; this page recovers on its own." : "";
  return fill(banner, h("strong", {}, trouble.what), ` ${trouble.advice}${old}${heals}`);
}

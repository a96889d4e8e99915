// What sets the speed of a running campaign, and how long the rest takes. Computes only; shows nothing.

import { aliveWorkers } from "../connection.js";
import { clockIn, timeLeft } from "../estimate.js";
import { count, duration, number, time } from "../format.js";

/** The window of the limit, in ms: before it has passed without a change, the last minute says nothing of the speed. */
const WINDOW_MS = 60_000;
/** The share of a limit from which it counts as used up. */
const USED_UP = 0.93;

/** Watches the statuses of one campaign for changes after which the last minute is no measure. */
export class Pace {
  constructor() {
    this.key = "";
    this.since = Date.now();
  }

  /** Take a status. @returns {this} */
  take(status) {
    const key = `${status.status} ${status.rate_limit} ${status.limit_now} ${Boolean(status.reason)}`;
    if (key !== this.key) {
      // At the first status, the campaign may have run for long: then its last minute is a measure already.
      const begun = this.key ? Date.now() : Date.parse(status.started_at ?? "");
      this.since = Number.isNaN(begun) ? Date.now() : begun;
      this.key = key;
    }
    return this;
  }

  /** The speed has been another since then (an ISO time). */
  changedAt(iso) {
    if (iso) this.since = Math.max(this.since, Date.parse(iso));
  }

  /** Emails of the last minute, or null where it is no measure. */
  recent(status) {
    return Date.now() - this.since > WINDOW_MS ? status.sent_last_minute : null;
  }
}

/** The emails that are still to be sent. */
function leftToSend(status) {
  return Math.max(0, status.pending - status.unknown);
}

/** The limit in force, of the campaign or of its account. */
function limitOf(status, account) {
  return Math.min(status.limit_now ?? status.rate_limit, account?.tpm ?? Infinity);
}

/** "about 12 min, done by 14:20", or why it is not known. */
export function leftText(status, pace, account) {
  if (status.status === "paused") return "Paused";
  if (status.status !== "running") return "Not known yet";
  if (aliveWorkers() === 0) return "Not known: no worker";
  if (status.window_opens_at) return `Waits until ${time(status.window_opens_at)}`;
  const seconds = timeLeft(leftToSend(status), limitOf(status, account), pace.recent(status));
  return `about ${duration(seconds)}, done by ${clockIn(seconds)}`;
}

/**
 * What sets the speed now, in one sentence; "" if there is nothing to say.
 *
 * @param {object} status
 * @param {Pace} pace
 * @param {import("../accounts.js").Account|null} account
 */
export function holdText(status, pace, account) {
  if (status.status !== "running") return "";
  if (aliveWorkers() === 0) return "No worker is running, so nothing is sent.";
  if (status.reason || status.window_opens_at) return ""; // the head says it
  const left = leftToSend(status);
  if (left <= status.in_flight) return left ? `The last ${count(left, "email is", "emails are")} on the way.` : "";
  const limit = limitOf(status, account);
  if (status.limit_now < status.rate_limit && limit === status.limit_now)
    return `Warm-up: ${number(status.limit_now)} of ${number(status.rate_limit)} emails per minute for now.`;
  if (account?.tpm && account.sent_last_minute >= USED_UP * account.tpm)
    return `The account's limit of ${number(account.tpm)} emails per minute, which its campaigns share, sets the speed.`;
  if (status.sent_last_minute >= USED_UP * limit)
    return `The limit of ${number(limit)} emails per minute sets the speed.`;
  if (pace.recent(status) === null)
    return `The limit of ${number(limit)} emails per minute has been in force for less than a minute.`;
  return `Below the limit: ${number(status.sent_last_minute)} of ${number(limit)} emails per minute. Other campaigns, the workers or the provider set the speed.`;
}

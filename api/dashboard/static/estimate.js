// How long sending takes at a limit, and the clock time at which it ends. Computes only; shows nothing.

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const DAY_MS = 86_400_000;

/**
 * How long it takes to send to this number of recipients, in seconds.
 *
 * @param {number} recipients
 * @param {number} tpm the limit in emails per minute
 * @param {{from: number, to: number, over_hours: number}|null} [ramp] a warm-up that begins now; it stays below `tpm`
 */
export function sendingTime(recipients, tpm, ramp = null) {
  if (!ramp) return (recipients / tpm) * 60;
  let [left, minute] = [recipients, 0];
  const end = ramp.over_hours * 60;
  const step = Math.max(end / 500, 0.1);
  while (minute < end && left > 0) {
    const limit = Math.min(tpm, ramp.from + ((ramp.to - ramp.from) * minute) / end);
    left -= limit * step;
    minute += step;
  }
  return (minute + Math.max(0, left) / Math.min(tpm, ramp.to)) * 60;
}

/**
 * How long the rest takes, in seconds: at the limit, unless the recent speed is lower.
 *
 * @param {number} left the number of emails to send
 * @param {number} limit the limit in force, in emails per minute
 * @param {number|null} recent the emails of the last minute; null: this minute says nothing, as after a pause
 */
export function timeLeft(left, limit, recent) {
  const speed = recent === null ? limit : Math.min(limit, Math.max(recent, 1));
  return (left / speed) * 60;
}

/** The clock time in so many seconds: "14:20", "14:20 tomorrow", "14:20 on Mon, 30 Nov". */
export function clockIn(seconds, now = new Date()) {
  const then = new Date(now.getTime() + seconds * 1000);
  const clock = CLOCK.format(then);
  if (then.toDateString() === now.toDateString()) return clock;
  if (then.toDateString() === new Date(now.getTime() + DAY_MS).toDateString()) return `${clock} tomorrow`;
  return `${clock} on ${DAY.format(then)}`;
}

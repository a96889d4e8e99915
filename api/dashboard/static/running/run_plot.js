// The plot of the whole run, kept by the server: emails per minute over time, the limit in force, and what happened.

import { get, path } from "../client.js";
import { fill, h, svg, write } from "../dom.js";
import { duration, number, time } from "../format.js";

const [WIDTH, HEIGHT] = [720, 160];
/** The time between two requests while the campaign runs, in ms. */
const REFRESH_MS = 5_000;
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
/** Words for what is marked. */
const MARKS = {
  started: "Started",
  paused: "Paused",
  resumed: "Resumed",
  cancelled: "Cancelled",
  completed: "Completed",
  rate_changed: "Limit changed",
  breaker_opened: "Stopped by the provider's errors",
  failed_retried: "Failed rows retried",
};

/** The words for an event of a campaign's history. */
export function eventWords(event) {
  const words = event.replaceAll("_", " ");
  return MARKS[event] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** The panel; `leave` ends its requests. */
export function runPlot(campaignId) {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const [top, from, to] = [h("span", { class: "top-label" }), h("span", {}), h("span", {})];
  const chart = h(
    "div",
    { class: "chart", role: "img" },
    h("div", { class: "plot" }, picture, top),
    h("p", { class: "axis" }, from, h("span", {}, "emails per minute"), to),
  );
  const marks = h("ol", { class: "marks" });
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "run-title", hidden: true },
    h("h2", { id: "run-title" }, "Whole run"),
    chart,
    h(
      "p",
      { class: "legend" },
      key("accepted", "accepted"),
      key("rejected-bar", "failed"),
      key("limit-key", "limit in force"),
    ),
    h("details", {}, h("summary", {}, "What happened"), marks),
  );
  const left = new AbortController();
  let timer = null;
  let before = null;

  async function look() {
    clearTimeout(timer);
    try {
      draw(await get(path(campaignId, "throughput"), { signal: left.signal }));
    } catch {
      // The next look tries again; the banner says what is wrong.
    }
    if (!left.signal.aborted && before === "running") timer = setTimeout(look, REFRESH_MS);
  }

  function draw(run) {
    node.hidden = !run.start_at;
    if (node.hidden) return;
    const span = run.interval_s * run.accepted.length;
    const perMinute = (amount) => (amount * 60) / run.interval_s;
    const sums = run.accepted.map((amount, at) => perMinute(amount + run.failed[at]));
    const [peak, limit] = [Math.max(...sums, 1), Math.max(...run.limit.map((value) => value ?? 0))];
    const scale = Math.max(peak, Math.min(limit, peak * 4)) * 1.1;
    const start = Date.parse(run.start_at);
    fill(
      picture,
      bars(run, perMinute, scale),
      limitLine(run.limit, scale),
      run.marks.map((mark) => markLine(mark, start, span)),
    );
    write(top, number(Math.round(scale)));
    write(from, CLOCK.format(new Date(start)));
    write(to, CLOCK.format(new Date(start + span * 1000)));
    chart.setAttribute(
      "aria-label",
      `The whole run, ${duration(span)}: at most ${number(Math.round(peak))} emails per minute; limit ${number(limit)} at most`,
    );
    fill(marks, run.marks.map(markText));
  }

  const update = (status) => {
    if (status.started_at && status.status !== before) {
      before = status.status;
      look();
    }
  };
  const leave = () => {
    left.abort();
    clearTimeout(timer);
  };
  return { node, update, leave };
}

function key(kind, text) {
  return h("span", {}, h("span", { class: `key ${kind}`, "aria-hidden": "true" }), text);
}

function bars({ accepted, failed }, perMinute, scale) {
  const step = WIDTH / accepted.length;
  const y = (value) => HEIGHT - (HEIGHT * perMinute(value)) / scale;
  const bar = (at, low, high) =>
    `M${(at * step).toFixed(2)} ${low.toFixed(2)}V${high.toFixed(2)}h${(step * 0.94).toFixed(2)}V${low.toFixed(2)}z`;
  const draw = (kind, one) => svg("path", { class: kind, d: accepted.map((_value, at) => one(at)).join("") });
  return [
    draw("accepted", (at) => (accepted[at] ? bar(at, HEIGHT, y(accepted[at])) : "")),
    draw("rejected-bar", (at) => (failed[at] ? bar(at, y(accepted[at]), y(accepted[at] + failed[at])) : "")),
  ];
}

/** The limit over time; it is interrupted where it is not known. */
function limitLine(limits, scale) {
  const step = WIDTH / limits.length;
  let drawn = "";
  limits.forEach((limit, at) => {
    if (limit === null) return;
    const y = Math.max(1, HEIGHT - (HEIGHT * limit) / scale).toFixed(2);
    drawn += `${limits[at - 1] === null || at === 0 ? "M" : "L"}${(at * step).toFixed(2)} ${y}H${((at + 1) * step).toFixed(2)}`;
  });
  return svg("path", { class: "limit", d: drawn });
}

function markLine({ at }, start, span) {
  const x = Math.min(WIDTH - 1, Math.max(1, (WIDTH * (Date.parse(at) - start)) / (span * 1000)));
  return svg("line", { class: "mark", x1: x, x2: x, y1: 0, y2: HEIGHT });
}

function markText({ at, event, by, reason, details }) {
  const change =
    details.from !== undefined && event === "rate_changed" ? `: ${details.from} to ${details.to} per minute` : "";
  return h(
    "li",
    {},
    h("time", { datetime: at }, time(at)),
    ` ${eventWords(event)}${change}, by ${by}`,
    reason && `: ${reason}`,
  );
}

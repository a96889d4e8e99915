// The sending rate: the figures of the last minute, the limit, and a chart of emails per second.

import { h, svg, write } from "./dom.js";
import { decimal, number } from "./format.js";
import { rateForm } from "./rate_form.js";
import { leftText } from "./running/pace.js";

/** The span of the chart, in seconds. */
const SPAN_S = 120;
/** The span over which "now" is averaged, in seconds. */
const NOW_S = 5;
const HEIGHT = 40;
const OVER = ["completed", "cancelled"];

/** The emails settled in each second, computed from successive status objects. */
class Series {
  constructor() {
    this.seconds = new Map();
    this.before = null;
  }

  /** Take a status; `at` is its time in seconds. New emails count for the last second, or for a gap in the stream. */
  add(status, at) {
    const settled = status.done + status.failed;
    const { before } = this;
    this.before = { settled, at };
    if (!before || settled <= before.settled) return;
    const from = at - before.at > 3 ? before.at : Math.max(before.at, at - 1);
    this.spread(settled - before.settled, Math.max(from, at - SPAN_S), at);
  }

  spread(amount, from, to) {
    const length = Math.max(to - from, 1e-6);
    for (let second = Math.floor(from); second <= Math.floor(to); second += 1) {
      const share = Math.max(0, Math.min(second + 1, to) - Math.max(second, from)) / length;
      this.seconds.set(second, (this.seconds.get(second) ?? 0) + amount * share);
    }
    for (const second of this.seconds.keys()) if (second < to - SPAN_S - 1) this.seconds.delete(second);
  }

  /** The values of the bars, the last one for the second before `at`. */
  bars(at) {
    const last = Math.floor(at);
    return Array.from({ length: SPAN_S }, (_, place) => this.seconds.get(last - SPAN_S + place) ?? 0);
  }
}

function chart() {
  const bars = svg("path", { class: "bars" });
  const limit = svg("line", { class: "limit", x1: 0, x2: SPAN_S });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${SPAN_S} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    bars,
    limit,
  );
  const top = h("span", { class: "top-label" });
  const limitLabel = h("span", { class: "limit-label" });
  const node = h(
    "div",
    { class: "chart", role: "img" },
    h("div", { class: "plot" }, picture, top, limitLabel),
    h("p", { class: "axis" }, h("span", {}, "2 min ago"), h("span", {}, "emails per second"), h("span", {}, "now")),
  );

  function draw(values, tpm) {
    const [peak, allowed] = [Math.max(...values), tpm / 60];
    const scale = Math.max(peak * 1.2, peak ? Math.min(allowed * 1.2, peak * 5) : allowed * 1.2);
    const y = (value) => HEIGHT - (HEIGHT * value) / scale;
    bars.setAttribute(
      "d",
      values.map((value, x) => (value ? `M${x + 0.1} ${HEIGHT}V${y(value).toFixed(2)}h.8V${HEIGHT}z` : "")).join(""),
    );
    const inside = allowed <= scale;
    limit.setAttribute("visibility", inside ? "visible" : "hidden");
    limit.setAttribute("y1", y(allowed));
    limit.setAttribute("y2", y(allowed));
    limitLabel.hidden = !inside;
    limitLabel.style.top = `${(100 * y(Math.min(allowed, scale))) / HEIGHT}%`;
    write(limitLabel, `limit ${decimal(allowed)}/s`);
    write(top, `${decimal(scale)}/s`);
    const recent = values.slice(-NOW_S).reduce((sum, value) => sum + value, 0) / NOW_S;
    const spoken = [`now ${decimal(recent)}`, `at most ${decimal(peak)} in two minutes`, `limit ${decimal(allowed)}`];
    node.setAttribute("aria-label", `Emails per second: ${spoken.join(", ")}`);
    return recent;
  }
  return { node, draw };
}

/** The panel; `leave` stops its clock. */
export function throughputPanel(campaignId, perform, pace) {
  const series = new Series();
  const picture = chart();
  const [lastMinute, now, eta, average, retries] = [
    "Sent in the last minute",
    "Now",
    "Time left",
    "Average",
    "Retries",
  ].map(fact);
  const meter = h("div", { class: "meter", "aria-hidden": "true" }, h("span", {}));
  const rate = rateForm(campaignId, perform);
  const facts = h(
    "dl",
    { class: "facts" },
    [lastMinute, now, eta, average, retries].map((made) => made.node),
  );
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "rate-title" },
    h("h2", { id: "rate-title" }, "Rate"),
    facts,
    meter,
    picture.node,
    rate.node,
  );
  let latest = null;

  function draw() {
    if (!latest || node.hidden) return;
    write(now.value, `${decimal(picture.draw(series.bars(Date.now() / 1000), latest.rate_limit))} per second`);
  }

  function update(status, account) {
    latest = status;
    series.add(status, Date.now() / 1000);
    const started = Boolean(status.started_at);
    const over = OVER.includes(status.status);
    facts.hidden = !started;
    meter.hidden = picture.node.hidden = !started || over;
    lastMinute.node.hidden = now.node.hidden = eta.node.hidden = over;
    average.node.hidden = !over;
    node.hidden = ["cancelled", "rejected"].includes(status.status) && !started;
    rate.update(status);
    write(lastMinute.value, `${number(status.sent_last_minute)} of ${number(status.rate_limit)}`);
    meter.firstChild.style.width = `${Math.min(100, (100 * status.sent_last_minute) / status.rate_limit)}%`;
    write(eta.value, leftText(status, pace, account));
    write(average.value, averageText(status));
    write(retries.value, number(status.retries));
  }

  const timer = setInterval(draw, 1000);
  return { node, update, draw, leave: () => clearInterval(timer) };
}

function fact(label) {
  const value = h("dd", {});
  return { value, node: h("div", {}, h("dt", {}, label), value) };
}

function averageText(status) {
  const minutes = (Date.parse(status.finished_at) - Date.parse(status.started_at)) / 60_000;
  return minutes > 0 ? `${decimal((status.done + status.failed) / minutes)} per minute` : "unknown";
}

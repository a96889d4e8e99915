// The figures of a status with their meanings, the status badge and the progress bar, the same on every page.

import { h, write } from "./dom.js";
import { number, percent, words } from "./format.js";

/** The kinds of recipients in the order of the bar. `pending` here excludes recipients in flight and unknown ones. */
export const KINDS = [
  { name: "done", label: "Done", meaning: "the provider accepted the email" },
  { name: "failed", label: "Failed", meaning: "given up; the CSV gives each reason" },
  { name: "unknown", label: "Unknown", meaning: "may or may not have been sent" },
  { name: "in_flight", label: "In flight", meaning: "on the way to the provider" },
  { name: "pending", label: "Pending", meaning: "not sent yet" },
];

/** The status object's figures, split so that they add up to its total. */
export function shares(status) {
  const rest = Math.max(0, status.pending - status.unknown - status.in_flight);
  return {
    done: status.done,
    failed: status.failed,
    unknown: status.unknown,
    in_flight: status.in_flight,
    pending: rest,
  };
}

/** The number of recipients in a final state. */
export function settled(status) {
  return status.done + status.failed;
}

/** The status as a word with a colour; colour is never the only difference. */
export function statusBadge(status) {
  const badge = h("span", { class: "badge" });
  const update = (now) => {
    badge.dataset.status = now;
    write(badge, words(now));
  };
  update(status);
  return { node: badge, update };
}

/** The bar with its segments; its accessible name says the same in words. During parsing it shows how much is read. */
export function progressBar() {
  const segments = ["reading", ...KINDS.map(({ name }) => name)].map((name) => ({
    name,
    node: h("span", { class: `segment ${name}` }),
  }));
  const node = h(
    "div",
    { class: "bar", role: "img" },
    segments.map((segment) => segment.node),
  );
  const update = (status) => {
    const parts = status.parsed?.size
      ? { reading: status.parsed.bytes, pending: status.parsed.size - status.parsed.bytes }
      : shares(status);
    for (const segment of segments) {
      segment.node.style.flexGrow = parts[segment.name] ?? 0;
      segment.node.hidden = !parts[segment.name]; // an empty segment would still have its gap
    }
    const said = KINDS.filter(({ name }) => parts[name]).map(
      ({ name, label }) => `${label.toLowerCase()} ${number(parts[name])}`,
    );
    const name = status.parsed
      ? "The list is being read"
      : status.total
        ? `${percent(settled(status), status.total)} of ${number(status.total)}: ${said.join(", ")}`
        : "No recipients yet";
    if (node.getAttribute("aria-label") !== name) node.setAttribute("aria-label", name);
  };
  return { node, update };
}

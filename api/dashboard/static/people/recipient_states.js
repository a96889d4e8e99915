// What became of a row, in words, the same wherever one recipient is shown.

import { h } from "../dom.js";

const STATES = {
  done: "Sent: the provider accepted the email",
  failed: "Failed",
  unknown: "Unknown: may or may not have been sent",
  pending: "Not sent yet",
  rejected: "Left out of the list",
};
const EVENTS = { opened: "opened", clicked: "clicked", complained: "reported as spam" };

/** One row of a list that has the address. */
export function recipientLine({ row, state, reason, events }) {
  const happened = events.map(({ event, reason: why }) => `${EVENTS[event] ?? event}${why ? ` (${why})` : ""}`);
  return h(
    "li",
    {},
    h("strong", {}, STATES[state] ?? state),
    reason && h("span", { class: "reason-text" }, `: ${reason}`),
    h("span", { class: "quiet" }, ` (row ${row})`),
    happened.length > 0 && h("div", {}, `The provider reports: ${happened.join(", ")}.`),
  );
}

// The form for test emails of one row.

import { path, post } from "../client.js";
import { announce, fill, freshId, h } from "../dom.js";

/** The address that was last tested with, kept in this browser tab. */
const KEPT = "test-addresses";

/**
 * The form.
 *
 * @param {string} campaignId
 * @param {() => {row?: number}} row which row is sent
 * @param {(step: () => Promise<string>, options?: object) => void} perform
 */
export function testSend(campaignId, row, perform) {
  const toId = freshId("to");
  const to = h("input", {
    id: toId,
    type: "text",
    autocomplete: "email",
    required: true,
    placeholder: "you@example.com, …",
    value: sessionStorage.getItem(KEPT) ?? "",
  });
  const results = h("ul", { class: "findings", "aria-label": "Test emails" });
  const submit = (event) => {
    event.preventDefault();
    perform(send, { alone: false });
  };
  const node = h(
    "section",
    { class: "panel", "aria-label": "Test email" },
    h("h2", {}, "Test email"),
    h("p", { class: "quiet" }, "Sends the row shown above, marked [Test]. It counts for nothing."),
    h(
      "form",
      { class: "inline", onsubmit: submit },
      h("label", { for: toId }, "Send to"),
      to,
      h("button", { class: "button", type: "submit" }, "Send test email"),
    ),
    results,
  );

  async function send() {
    const addresses = to.value.split(/[\s,;]+/).filter(Boolean);
    const { results: sent } = await post(path(campaignId, "test-send"), { to: addresses, ...row() });
    sessionStorage.setItem(KEPT, to.value);
    fill(
      results,
      sent.map((one) => h("li", {}, `${one.to}: ${one.outcome}${one.reason ? ` (${one.reason})` : ""}`)),
    );
    announce(`${sent.length} test emails sent`);
  }
  return { node };
}

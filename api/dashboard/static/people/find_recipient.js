// The panel that looks for one address in one campaign.

import { get, path } from "../client.js";
import { announce, fill, freshId, h } from "../dom.js";
import { recipientLine } from "./recipient_states.js";

/** A search of a large list may take long, in ms. */
const PATIENCE_MS = 60_000;

/** The panel. */
export function findRecipient(campaignId) {
  const emailId = freshId("find");
  const email = h("input", {
    id: emailId,
    type: "email",
    required: true,
    autocomplete: "off",
    placeholder: "ann@example.com",
  });
  const found = h("div", { "aria-live": "polite" });
  const node = h(
    "details",
    { class: "panel" },
    h("summary", {}, h("h2", {}, "Find a recipient")),
    h(
      "form",
      { class: "inline", onsubmit: look },
      h("label", { for: emailId }, "Email address"),
      email,
      h("button", { class: "button", type: "submit" }, "Find"),
    ),
    found,
  );

  async function look(event) {
    event.preventDefault();
    const wanted = email.value.trim();
    fill(found, h("p", { class: "quiet" }, "Searching the list…"));
    try {
      const query = new URLSearchParams({ email: wanted });
      const { recipients } = await get(`${path(campaignId, "recipients")}?${query}`, { timeoutMs: PATIENCE_MS });
      announce(`${recipients.length} rows`);
      fill(
        found,
        recipients.length
          ? h("ul", { class: "plain-list" }, recipients.map(recipientLine))
          : h("p", {}, `${wanted} is not in this list, or its rows are excluded.`),
      );
    } catch (error) {
      fill(found, h("p", { class: "problem" }, error.message));
    }
  }
  const update = (status) => {
    node.hidden = !status.has_list;
  };
  return { node, update };
}

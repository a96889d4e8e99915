// What the suppression list knows of one address, with the buttons to suppress it or to remove it.

import { post, send } from "../client.js";
import { showDialog } from "../dialogs.js";
import { freshId, h } from "../dom.js";
import { time } from "../format.js";

const WHAT = {
  unsubscribed: "Unsubscribed",
  complained: "Reported as spam",
  bounced: "Bounced",
  manual: "Added by hand",
  removed: "Removed",
  erased: "Erased",
};

/** The words for a reason of the suppression list. */
export function suppressionWords(reason) {
  return WHAT[reason] ?? reason;
}

/**
 * The panel for one address.
 *
 * @param {{email: string, suppressed: boolean, all_email: boolean, entries: {what: string, at: string, note: string}[]}} found
 * @param {Function} perform
 * @param {() => void} changed called after a change
 */
export function suppressionFacts(found, perform, changed) {
  const sentence = found.all_email
    ? "gets no email at all."
    : found.suppressed
      ? "gets no marketing email; other email is sent."
      : "is not suppressed.";
  const suppress = () =>
    perform(async () => {
      await post("/suppressions", { emails: [found.email], reason: "manual" });
      changed();
      return `${found.email} gets no marketing email any more.`;
    });
  const remove = async () => {
    const why = await askWhy(found.email);
    if (why === null) return;
    perform(
      async () => {
        const query = new URLSearchParams({ reason: why });
        await send("DELETE", `/suppressions/${encodeURIComponent(found.email)}?${query}`);
        changed();
        return `${found.email} is off the suppression list.`;
      },
      { alone: false },
    );
  };
  return h(
    "section",
    { class: "panel", "aria-labelledby": "suppression-title" },
    h("h2", { id: "suppression-title" }, "Suppression"),
    h("p", {}, h("strong", {}, found.email), ` ${sentence}`),
    found.entries.length > 0 &&
      h(
        "ul",
        { class: "plain-list" },
        found.entries.map(({ what, at, note }) =>
          h(
            "li",
            {},
            h("time", { datetime: at, class: "quiet" }, time(at)),
            ` ${suppressionWords(what)}`,
            note && `: ${note}`,
          ),
        ),
      ),
    h(
      "div",
      { class: "actions" },
      found.suppressed
        ? h("button", { class: "button", type: "button", "data-step": true, onclick: remove }, "Remove from the list…")
        : h("button", { class: "button", type: "button", "data-step": true, onclick: suppress }, "Suppress address"),
    ),
  );
}

/** Ask why an address is removed; resolves to the reason, or null. */
async function askWhy(email) {
  const id = freshId("why");
  const field = h("input", {
    id,
    type: "text",
    maxlength: 200,
    required: true,
    placeholder: "asked for it on the phone, 3 May",
  });
  const answer = await showDialog({
    title: `Send to ${email} again?`,
    make: (close) => {
      const submit = (event) => {
        event.preventDefault();
        close("yes");
      };
      return {
        body: [
          h("p", {}, "Only remove an address whose owner wants the emails. The reason stays in the list's record."),
          h("form", { id: "why-form", class: "field", onsubmit: submit }, h("label", { for: id }, "Reason"), field),
        ],
        actions: [
          h("button", { class: "button", type: "button", onclick: () => close("") }, "Keep suppressed"),
          h("button", { class: "button danger", type: "submit", form: "why-form" }, "Remove from the list"),
        ],
        focus: field,
      };
    },
  });
  return answer === "yes" ? field.value.trim() : null;
}

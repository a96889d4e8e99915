// The page that answers "did ann@example.com get it?": one address over all campaigns, and its suppression.

import { Problem, get, send } from "../client.js";
import { confirmStep } from "../dialogs.js";
import { add, announce, fill, freshId, h } from "../dom.js";
import { count } from "../format.js";
import { noticeBox } from "../notice_box.js";
import { performer } from "../performer.js";
import { recipientLine } from "./recipient_states.js";
import { suppressionFacts } from "./suppression_facts.js";

/** A search reads every list, in ms. */
const PATIENCE_MS = 120_000;

/** The page. */
export function peoplePage() {
  const emailId = freshId("email");
  const email = h("input", {
    id: emailId,
    type: "email",
    required: true,
    autocomplete: "off",
    placeholder: "ann@example.com",
  });
  const result = h("div", { class: "stack" });
  const notice = noticeBox();
  const perform = performer(notice, async () => undefined);
  const left = new AbortController();
  const node = h(
    "div",
    { class: "stack" },
    h("h1", { tabindex: "-1" }, "People"),
    h(
      "section",
      { class: "panel", "aria-label": "Search" },
      h(
        "p",
        { class: "quiet" },
        "What Postrider knows of one address: what it got, from which campaign, and whether it is suppressed.",
      ),
      h(
        "form",
        { class: "inline", onsubmit: submit },
        h("label", { for: emailId }, "Email address"),
        email,
        h("button", { class: "button primary", type: "submit" }, "Search"),
      ),
    ),
    notice.node,
    result,
  );
  let wanted = "";

  function submit(event) {
    event.preventDefault();
    wanted = email.value.trim();
    search();
  }

  async function search() {
    fill(result, h("p", { class: "quiet" }, "Searching the lists of all campaigns…"));
    try {
      const found = await ask(`/recipients?${new URLSearchParams({ email: wanted })}`);
      announce(`${count(found.campaigns.length, "campaign")}`);
      fill(result, suppressionFacts(found.suppression, perform, search), campaigns(found), erasing());
    } catch (error) {
      if (left.signal.aborted) return;
      const old = error instanceof Problem && (error.status === 404 || error.status === 405);
      fill(
        result,
        h(
          "p",
          { class: "problem", role: "alert" },
          old ? "This server cannot search all campaigns: search in a campaign." : error.message,
        ),
      );
    }
  }

  const ask = (address) => get(address, { timeoutMs: PATIENCE_MS, signal: left.signal });

  function campaigns(first) {
    const list = h(
      "ul",
      { class: "plain-list found" },
      first.campaigns.map(campaignLine),
      first.unsearched.map(unsearchedLine),
    );
    const none = h("p", {}, "No list has this address.");
    const more = h("button", { class: "button", type: "button", onclick: rest }, "Search the other campaigns");
    let { next } = first;

    async function rest() {
      more.disabled = true;
      try {
        const found = await ask(next);
        add(list, [found.campaigns.map(campaignLine), found.unsearched.map(unsearchedLine)]);
        ({ next } = found);
        settle();
      } catch (error) {
        notice.fail(error);
      } finally {
        more.disabled = false;
      }
    }

    function settle() {
      more.hidden = !next;
      none.hidden = Boolean(list.childNodes.length) || Boolean(next);
    }
    settle();
    return h(
      "section",
      { class: "panel", "aria-labelledby": "found-title" },
      h("h2", { id: "found-title" }, "Campaigns"),
      none,
      list,
      more,
    );
  }

  function erasing() {
    const address = wanted;
    const erase = async () => {
      const sure = await confirmStep({
        title: `Erase ${address}?`,
        consequences: [
          "The address is erased from all lists, records and saved emails. This cannot be undone.",
          "It gets no email any more: the suppression list keeps a hash of it.",
          "Counts of the campaigns stay.",
        ],
        yes: "Erase address",
        no: "Keep address",
      });
      if (!sure) return;
      perform(
        async () => {
          const answer = await send("DELETE", `/recipients?${new URLSearchParams({ email: address })}`, {
            timeoutMs: PATIENCE_MS,
          });
          const { campaigns: erased } = await answer.json();
          fill(result);
          return `${address} is erased from ${count(erased, "campaign")}.`;
        },
        { alone: false },
      );
    };
    return h(
      "section",
      { class: "panel", "aria-labelledby": "erase-title" },
      h("h2", { id: "erase-title" }, "Erase this address"),
      h("p", { class: "quiet" }, "For a person who asks for it, as the GDPR allows. The address stays suppressed."),
      h(
        "div",
        { class: "actions" },
        h(
          "button",
          { class: "button danger-quiet", type: "button", "data-step": true, onclick: erase },
          "Erase address…",
        ),
      ),
    );
  }
  document.title = "People - Postrider";
  return { node, leave: () => left.abort() };
}

function campaignLine({ id, subject, status, recipients }) {
  return h(
    "li",
    {},
    h(
      "p",
      {},
      h("a", { href: `#/campaigns/${encodeURIComponent(id)}` }, id),
      h("span", { class: "quiet" }, ` ${subject} (${status})`),
    ),
    h("ul", { class: "plain-list" }, recipients.map(recipientLine)),
  );
}

function unsearchedLine({ id, reason }) {
  return h(
    "li",
    {},
    h(
      "p",
      {},
      h("a", { href: `#/campaigns/${encodeURIComponent(id)}` }, id),
      h("span", { class: "problem" }, ` could not be searched: ${reason}`),
    ),
  );
}

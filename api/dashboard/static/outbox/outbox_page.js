// The local outbox: the campaigns with saved emails, and the emails of one of them beside the one that is open.

import { get } from "../client.js";
import { fill, freshId, h, write } from "../dom.js";
import { bytes, count, number, time } from "../format.js";
import { emailViewer } from "./email_viewer.js";

const PAGE = 25;
/** How long the typing must rest before the search follows, in ms. */
const REST_MS = 300;

/**
 * The page.
 *
 * @param {string} campaignId whose emails; "": choose a campaign
 */
export function outboxPage(campaignId) {
  const left = new AbortController();
  const body = h("div", { class: "stack" }, h("p", { class: "quiet" }, "Loading…"));
  const back = campaignId && h("p", {}, h("a", { class: "back", href: "#/outbox" }, "All of the outbox"));
  const node = h(
    "div",
    { class: "stack" },
    h("div", {}, back, h("h1", { tabindex: "-1", class: "id" }, campaignId || "Outbox")),
    body,
  );
  document.title = "Outbox - Postrider";
  const begin = campaignId ? mailbox(campaignId, body, left.signal) : folders(body, left.signal);
  begin.catch((error) => left.signal.aborted || fill(body, h("p", { class: "problem", role: "alert" }, error.message)));
  return { node, leave: () => left.abort() };
}

async function folders(body, signal) {
  const { folders: found } = await get("/outbox", { signal });
  fill(
    body,
    h(
      "p",
      { class: "quiet" },
      "Test mode saves emails as files instead of sending them. Here they are, as a mail program would show them.",
    ),
    found.length
      ? h("ul", { class: "plain-list folders" }, found.map(folder))
      : h("p", { class: "panel" }, "The outbox is empty. Start a campaign, or send a test email."),
  );
}

function folder({ id, emails, tests, last_at: at }) {
  const texts = [emails && count(emails, "email"), tests && count(tests, "test email")].filter(Boolean);
  return h(
    "li",
    { class: "panel" },
    h("a", { href: `#/outbox/${encodeURIComponent(id)}` }, id),
    h("span", { class: "quiet" }, ` ${texts.join(", ")}; the last one ${time(at)}`),
  );
}

async function mailbox(campaignId, body, signal) {
  const searchId = freshId("search");
  const search = h("input", {
    id: searchId,
    type: "search",
    maxlength: 100,
    placeholder: "Recipient or subject",
    oninput: rest,
  });
  const list = h("ul", { class: "emails" });
  const total = h("p", { class: "quiet", role: "status" });
  const [newer, older] = [
    h("button", { class: "button small", type: "button", onclick: () => turn(-PAGE) }, "Previous"),
    h("button", { class: "button small", type: "button", onclick: () => turn(PAGE) }, "Next"),
  ];
  const viewer = emailViewer(campaignId);
  let [offset, timer, asked] = [0, null, 0];
  const base = `/outbox/${encodeURIComponent(campaignId)}`;

  function rest() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      offset = 0;
      look().catch(fail);
    }, REST_MS);
  }

  function turn(step) {
    offset = Math.max(0, offset + step);
    look().catch(fail);
  }

  const fail = (error) => signal.aborted || fill(list, h("li", { class: "problem" }, error.message));

  async function look() {
    asked += 1;
    const mine = asked;
    const word = search.value.trim();
    const query = new URLSearchParams({ offset, limit: PAGE, ...(word && { search: word }) });
    const page = await get(`${base}?${query}`, { signal });
    if (mine !== asked) return;
    fill(list, page.emails.map(heading));
    write(total, totalText(page, word));
    newer.hidden = offset === 0;
    older.hidden = !page.next;
    if (page.emails.length) open(page.emails[0].name, false);
    else viewer.clear();
  }

  function heading(email) {
    const link = h(
      "button",
      { class: "email-line", type: "button", onclick: () => open(email.name, true) },
      h("span", { class: "to" }, email.to),
      h("span", { class: "subject" }, email.subject || "(no subject)"),
      h(
        "span",
        { class: "quiet" },
        `${email.row ? `row ${number(email.row)}` : "test email"}, ${bytes(email.size)}, ${time(email.at)}`,
      ),
    );
    link.dataset.name = email.name;
    return h("li", {}, link);
  }

  function open(name, byPerson) {
    for (const link of list.querySelectorAll("button")) {
      if (link.dataset.name === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    viewer.show(`${base}/${name}`, byPerson);
  }

  await look();
  fill(
    body,
    h(
      "div",
      { class: "mailbox" },
      h(
        "section",
        { class: "panel", "aria-label": "Emails" },
        h("div", { class: "field" }, h("label", { for: searchId }, "Search"), search),
        total,
        list,
        h("div", { class: "actions" }, newer, older),
      ),
      viewer.node,
    ),
  );
}

function totalText({ total, complete, emails }, word) {
  if (!emails.length) return word ? "No email matches." : "No email.";
  if (!word) return count(total, "email");
  return complete
    ? `${count(total, "email")} found`
    : `At least ${count(total, "email")} found; the search looked at a part of them only.`;
}

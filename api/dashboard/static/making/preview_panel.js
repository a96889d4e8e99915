// The preview of one row: as HTML, on a phone, as text. Rows are turned over; the newest request wins.

import { Problem, path, post } from "../client.js";
import { fill, freshId, h, write } from "../dom.js";
import { bytes } from "../format.js";
import { viewTabs } from "../view_tabs.js";

const VIEWS = [
  ["html", "HTML"],
  ["phone", "Phone"],
  ["text", "Plain text"],
];
/** How long the typing must rest before the preview follows, in ms. */
const REST_MS = 400;
/** How many rows that are no recipients are passed over. */
const PASSED = 20;
/** The words with which the server names values that it lacks, if there is no list yet. */
const LACKS = /templates also use (.+): give/;

/**
 * The panel.
 *
 * @param {string} campaignId
 * @param {object} [options]
 * @param {() => object} [options.content] the content as it is written now; without it, the campaign's own is shown
 * @param {(found: import("../findings.js").Finding[]) => void} [options.onFindings]
 * @param {boolean} [options.beside] show all views side by side, and not one at a time
 */
export function previewPanel(campaignId, { content, onFindings, beside = false } = {}) {
  const rowId = freshId("row");
  const row = h("input", {
    id: rowId,
    type: "number",
    min: 1,
    value: "1",
    inputmode: "numeric",
    onchange: () => show(),
  });
  const problem = h("p", { class: "problem", role: "alert" });
  const envelope = h("dl", { class: "pairs" });
  const headers = h("details", {}, h("summary", {}, "Headers"), h("dl", { class: "pairs" }));
  const views = VIEWS.map(([name, label]) => ({ name, label, node: h("div", { class: `view ${name}` }) }));
  const tabs = beside ? null : viewTabs(views, "Views of the email");
  const node = h(
    "section",
    { class: beside ? "preview beside-views" : "preview", "aria-label": "Preview" },
    h(
      "div",
      { class: "inline rows" },
      h("label", { for: rowId }, "Row of the list"),
      h(
        "button",
        { class: "button small", type: "button", "aria-label": "Previous row", onclick: () => turn(-1) },
        "‹",
      ),
      row,
      h("button", { class: "button small", type: "button", "aria-label": "Next row", onclick: () => turn(1) }, "›"),
    ),
    problem,
    envelope,
    headers,
    tabs?.node,
    h(
      "div",
      { class: "views" },
      views.map((view) => (beside ? figure(view) : view.node)),
    ),
  );
  let hasList = false;
  let timer = null;
  let asked = 0;

  async function show(direction = 0) {
    clearTimeout(timer);
    asked += 1;
    const mine = asked;
    try {
      const email = await fetched(direction);
      if (mine !== asked) return;
      write(problem, "");
      node.classList.remove("outdated");
      draw(email);
      onFindings?.(email.warnings);
    } catch (error) {
      if (mine !== asked) return;
      write(problem, error.message);
      node.classList.add("outdated");
      if (error instanceof Problem && error.status < 500)
        onFindings?.(error.body.errors ?? [{ message: error.message, level: "stops_start" }]);
    }
  }

  async function fetched(direction) {
    const body = content ? { content: content() } : {};
    if (!hasList) return withoutList(campaignId, body);
    for (let passed = 0; ; passed += 1) {
      try {
        return await post(path(campaignId, "preview"), { ...body, row: Number(row.value) || 1 });
      } catch (error) {
        const goesOn = direction && error.status === 404 && Number(row.value) + direction >= 1 && passed < PASSED;
        if (!goesOn || !/is not a recipient/.test(error.message)) throw error;
        row.value = String(Number(row.value) + direction);
      }
    }
  }

  function turn(direction) {
    row.value = String(Math.max(1, (Number(row.value) || 1) + direction));
    show(direction);
  }

  function draw(email) {
    fill(
      envelope,
      pairs([
        ["To", email.to],
        ["Subject", email.subject],
        ["Size", bytes(email.size)],
      ]),
    );
    const others = Object.entries(email.headers);
    headers.hidden = !others.length;
    fill(headers.lastChild, pairs(others));
    const none = (what) => h("p", { class: "quiet" }, `This email has no ${what}.`);
    fill(views[0].node, email.html ? htmlFrame(email.html, "HTML of the email") : none("HTML"));
    fill(views[1].node, email.html ? htmlFrame(email.html, "HTML of the email on a phone") : none("HTML"));
    fill(views[2].node, email.text ? h("pre", { tabindex: "0" }, email.text) : none("text"));
    tabs?.prefer(email.html ? "html" : "text");
  }

  /** The content has changed: show it once the typing rests. */
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(show, REST_MS);
  };
  const update = (status) => {
    if (hasList !== status.has_list) row.value = "1";
    hasList = status.has_list;
    node.querySelector(".rows").hidden = !hasList;
  };
  return {
    node,
    show,
    soon,
    update,
    row: () => (hasList ? { row: Number(row.value) || 1 } : {}),
    leave: () => clearTimeout(timer),
  };
}

function pairs(facts) {
  return facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

/** Without a list, each column that the templates use is shown as its name. */
async function withoutList(campaignId, body) {
  try {
    return await post(path(campaignId, "preview"), { ...body, columns: {} });
  } catch (error) {
    const names = LACKS.exec(error.message)?.[1].split(", ");
    if (!names) throw error;
    const columns = Object.fromEntries(names.map((name) => [name, `[${name}]`]));
    return post(path(campaignId, "preview"), { ...body, columns });
  }
}

/**
 * The HTML of an email. The frame runs no script, has no origin and cannot reach the page. Attached images are left out:
 * their addresses mean something in an email only.
 */
export function htmlFrame(html, title) {
  const bare = html.replaceAll(/(["'])cid:[^"']*/gi, "$1data:,");
  const address = `data:text/html;charset=utf-8,${encodeURIComponent(bare)}`;
  return h("iframe", { class: "email", sandbox: "", title, src: address, tabindex: "0" });
}

function figure({ label, node }) {
  return h("figure", { class: "view-figure" }, h("figcaption", { class: "quiet" }, label), node);
}

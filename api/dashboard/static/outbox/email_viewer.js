// One saved email: HTML, on a phone, plain text, headers and source.

import { get } from "../client.js";
import { announce, fill, h, write } from "../dom.js";
import { bytes } from "../format.js";
import { htmlFrame } from "../making/preview_panel.js";
import { viewTabs } from "../view_tabs.js";

const VIEWS = [
  ["html", "HTML"],
  ["phone", "Phone"],
  ["text", "Plain text"],
  ["headers", "Headers"],
  ["source", "Source"],
];
/** The headers that are shown above the email. */
const SHOWN = ["From", "To", "Subject", "Date"];

/** The viewer. */
export function emailViewer(campaignId) {
  const envelope = h("dl", { class: "pairs" });
  const files = h("p", { class: "quiet" });
  const problem = h("p", { class: "problem", role: "alert" });
  const views = VIEWS.map(([name, label]) => ({ name, label, node: h("div", { class: `view ${name}` }) }));
  const tabs = viewTabs(views, "Views of the email");
  const shown = h(
    "div",
    { class: "stack" },
    envelope,
    files,
    tabs.node,
    views.map((view) => view.node),
  );
  const node = h("section", { class: "panel stack", "aria-label": "Email" }, problem, shown);
  let asked = 0;

  async function show(address, byPerson) {
    asked += 1;
    const mine = asked;
    write(problem, "");
    try {
      const email = await get(address);
      if (mine !== asked) return;
      draw(email);
      shown.hidden = false;
      if (byPerson) announce(`Email ${email.name} of ${campaignId}`);
    } catch (error) {
      if (mine === asked) write(problem, error.message);
    }
  }

  function draw(email) {
    const first = SHOWN.map((name) =>
      email.headers.find((header) => header.name.toLowerCase() === name.toLowerCase()),
    ).filter(Boolean);
    fill(envelope, pairs(first));
    write(files, email.attachments.map(({ filename, size }) => `${filename || "(file)"} (${bytes(size)})`).join(", "));
    files.hidden = !email.attachments.length;
    const none = (what) => h("p", { class: "quiet" }, `This email has no ${what}.`);
    const [html, phone, text, headers, source] = views.map((view) => view.node);
    fill(html, email.html ? htmlFrame(email.html, "HTML of the email") : none("HTML"));
    fill(phone, email.html ? htmlFrame(email.html, "HTML of the email on a phone") : none("HTML"));
    fill(text, email.text ? h("pre", { tabindex: "0" }, email.text) : none("text"));
    fill(headers, h("dl", { class: "pairs" }, pairs(email.headers)));
    fill(source, h("pre", { tabindex: "0" }, email.source));
    tabs.prefer(email.html ? "html" : "text");
  }

  const clear = () => {
    asked += 1;
    shown.hidden = true;
  };
  return { node, show, clear };
}

function pairs(headers) {
  return headers.map(({ name, value }) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

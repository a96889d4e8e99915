// Downloads from the API, with the token if one is needed.

import { credentials, path, send } from "./client.js";
import { fill, h } from "./dom.js";
import { number } from "./format.js";

const STATES = [
  ["all", "All rows", (status) => status.total + status.rejected],
  ["done", "Done", (status) => status.done],
  ["failed", "Failed", (status) => status.failed],
  ["unknown", "Unknown", (status) => status.unknown],
  ["pending", "Pending", (status) => status.pending - status.unknown],
  ["rejected", "Rejected", (status) => status.rejected],
];

/**
 * Download a file.
 *
 * Without a token, the browser streams the file to disk. With one, fetch loads it, since a link cannot send a header.
 */
export async function download(address, filename) {
  if (!("Authorization" in credentials())) {
    await send("HEAD", address).catch(() => send("GET", address, { timeoutMs: 0 })); // HEAD has no detail to show
    return save(address, filename);
  }
  const answer = await send("GET", address, { timeoutMs: 0 });
  const url = URL.createObjectURL(await answer.blob());
  save(url, filename);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return undefined;
}

function save(url, filename) {
  h("a", { href: url, download: filename }).click();
}

/** A button that downloads the recipients in one state. */
export function recipientsButton(campaignId, state, label, perform) {
  const address = `${path(campaignId, "recipients.csv")}?state=${state}`;
  const fetchIt = () => perform(() => download(address, `${campaignId}-${state}.csv`), { alone: false });
  return h("button", { class: "button small", type: "button", onclick: fetchIt }, label);
}

/** The panel with a button for each state that has rows. */
export function downloadsPanel(campaignId, perform) {
  const buttons = STATES.map(([state, label, figure]) => {
    const amount = h("span", { class: "amount" });
    return { figure, amount, node: recipientsButton(campaignId, state, [label, " ", amount], perform) };
  });
  const node = h(
    "section",
    { class: "panel", "aria-labelledby": "downloads-title" },
    h("h2", { id: "downloads-title" }, "Recipients as CSV"),
    h("p", { class: "quiet" }, "Each file has the columns row, email, state and reason, as of now."),
    h(
      "div",
      { class: "actions" },
      buttons.map((button) => button.node),
    ),
  );
  const update = (status) => {
    node.hidden = !status.has_list || !(status.total + status.rejected);
    for (const { figure, amount, node: button } of buttons) {
      const rows = figure(status);
      button.hidden = rows <= 0;
      if (amount.textContent !== number(rows)) fill(amount, number(rows));
    }
  };
  return { node, update };
}

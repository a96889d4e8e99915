// The files that each email carries: attach and remove.

import { get, path, send } from "../client.js";
import { fill, freshId, h } from "../dom.js";
import { bytes } from "../format.js";

/** A file may take long on its way, in ms. */
const PATIENCE_MS = 300_000;

/** The panel; `perform` runs its steps. */
export function attachmentsPanel(campaignId, perform) {
  const list = h("ul", { class: "files" });
  const room = h("p", { class: "hint" });
  const fileId = freshId("attach");
  const file = h("input", { id: fileId, type: "file", multiple: true, onchange: add });
  const node = h(
    "details",
    { class: "panel", ontoggle: () => node.open && look().catch(() => undefined) },
    h("summary", {}, h("h2", {}, "Attachments")),
    list,
    h("div", { class: "field" }, h("label", { for: fileId }, "Attach files"), file, room),
  );

  async function look() {
    const { attachments, total_bytes: total, limit_bytes: limit } = await get(path(campaignId, "attachments"));
    fill(list, attachments.length ? attachments.map(line) : h("li", { class: "quiet" }, "No file is attached."));
    fill(
      room,
      `${bytes(total)} of at most ${bytes(limit)}. An image whose name stands in the HTML as cid:name is shown inside it.`,
    );
  }

  function line({ filename, size, content_type: type, inline }) {
    const drop = () =>
      perform(
        async () => {
          await send("DELETE", path(campaignId, "attachments", filename));
          await look();
          return `${filename} is removed.`;
        },
        { alone: false },
      );
    return h(
      "li",
      {},
      h("span", {}, filename),
      h("span", { class: "quiet" }, ` ${bytes(size)}, ${type}${inline ? ", shown inside the HTML" : ""} `),
      h(
        "button",
        { class: "button small", type: "button", "aria-label": `Remove ${filename}`, onclick: drop },
        "Remove",
      ),
    );
  }

  function add() {
    const chosen = [...file.files];
    if (!chosen.length) return;
    perform(
      async () => {
        try {
          for (const one of chosen)
            await send("PUT", path(campaignId, "attachments", one.name), {
              body: one,
              headers: { "Content-Type": one.type || "application/octet-stream" },
              timeoutMs: PATIENCE_MS,
            });
        } finally {
          file.value = "";
          await look();
        }
        return chosen.length === 1 ? `${chosen[0].name} is attached.` : `${chosen.length} files are attached.`;
      },
      { alone: false },
    );
  }
  return { node };
}

// Confirmation before a step that cannot be undone.

import { freshId, h } from "./dom.js";

/**
 * Ask for confirmation; resolves to whether the answer is yes. The safe answer has the focus.
 *
 * `consequences` are sentences, shown as a list.
 */
export function confirmStep({ title, consequences, yes, no = "Go back" }) {
  return new Promise((resolve) => {
    const [titleId, textId] = [freshId("dialog"), freshId("dialog")];
    const keep = h("button", { class: "button", type: "button", onclick: () => dialog.close() }, no);
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": titleId, "aria-describedby": textId },
      h("h2", { id: titleId }, title),
      h(
        "ul",
        { id: textId, class: "consequences" },
        consequences.map((text) => h("li", {}, text)),
      ),
      h(
        "div",
        { class: "actions" },
        keep,
        h("button", { class: "button danger", type: "button", onclick: () => dialog.close("yes") }, yes),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    keep.focus();
  });
}

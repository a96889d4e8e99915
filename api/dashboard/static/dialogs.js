// Modal dialogs: the frame that all of them share, and the confirmation of a step that cannot be undone.

import { freshId, h } from "./dom.js";

/**
 * Show a modal dialog; resolves to its return value once it is closed, "" if it was closed without an answer.
 *
 * @param {object} parts
 * @param {string} parts.title
 * @param {(close: (answer: string) => void) => {body: Node[], actions: Node[], focus?: HTMLElement}} parts.make
 * @param {boolean} [parts.wide]
 * @returns {Promise<string>}
 */
export function showDialog({ title, make, wide = false }) {
  return new Promise((resolve) => {
    const [titleId, textId] = [freshId("dialog"), freshId("dialog")];
    const { body, actions, focus } = make((answer) => dialog.close(answer));
    const dialog = h(
      "dialog",
      { class: wide ? "dialog wide" : "dialog", "aria-labelledby": titleId, "aria-describedby": textId },
      h("h2", { id: titleId }, title),
      h("div", { id: textId, class: "dialog-body" }, body),
      h("div", { class: "actions" }, actions),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
    focus?.focus();
  });
}

/**
 * Ask for confirmation; resolves to whether the answer is yes. The safe answer has the focus.
 *
 * `consequences` are sentences, shown as a list.
 */
export async function confirmStep({ title, consequences, yes, no = "Go back" }) {
  const answer = await showDialog({
    title,
    make: (close) => {
      const keep = h("button", { class: "button", type: "button", onclick: () => close("") }, no);
      return {
        body: [
          h(
            "ul",
            { class: "consequences" },
            consequences.map((text) => h("li", {}, text)),
          ),
        ],
        actions: [keep, h("button", { class: "button danger", type: "button", onclick: () => close("yes") }, yes)],
        focus: keep,
      };
    },
  });
  return answer === "yes";
}

// Tabs over several views of one thing; arrow keys move between them.

import { freshId, h } from "./dom.js";

/**
 * @typedef {object} View
 * @property {string} name
 * @property {string} label
 * @property {HTMLElement} node
 */

/**
 * The tabs; `prefer` chooses a view as long as a person has chosen none.
 *
 * @param {View[]} views
 * @param {string} label what the views are of
 */
export function viewTabs(views, label) {
  const made = views.map(({ name, label: text, node }) => {
    const [tabId, panelId] = [freshId("tab"), freshId("view")];
    node.id = panelId;
    node.setAttribute("role", "tabpanel");
    node.setAttribute("aria-labelledby", tabId);
    const tab = h(
      "button",
      { id: tabId, class: "tab", type: "button", role: "tab", "aria-controls": panelId, onclick: () => choose(name) },
      text,
    );
    return { name, tab, node };
  });
  let chosen = null;

  function choose(name) {
    chosen = name;
    reflect(name);
  }

  function reflect(name) {
    for (const { name: own, tab, node } of made) {
      tab.setAttribute("aria-selected", String(own === name));
      tab.tabIndex = own === name ? 0 : -1;
      node.hidden = own !== name;
    }
  }

  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = made.findIndex(({ tab }) => tab === document.activeElement);
    const next = made[(at + step + made.length) % made.length];
    choose(next.name);
    next.tab.focus();
  }
  const node = h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": label, onkeydown: move },
    made.map(({ tab }) => tab),
  );
  reflect(views[0].name);
  return { node, prefer: (name) => chosen ?? reflect(name) };
}

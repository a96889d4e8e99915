// How far a campaign is: the share in large, the bar, and a tile for each kind of recipient.

import { h, write } from "./dom.js";
import { KINDS, progressBar, settled, shares } from "./figures.js";
import { count, number, percent } from "./format.js";
import { holdText } from "./running/pace.js";

/** The panel. @param {import("./running/pace.js").Pace} pace */
export function progressPanel(pace) {
  const big = h("p", { class: "big" });
  const detail = h("p", { class: "quiet" });
  const bar = progressBar();
  const hold = h("p", { class: "hold" });
  const tiles = KINDS.map(tile);
  const node = h(
    "section",
    { class: "panel", "aria-label": "Progress" },
    h("div", { class: "progress-head" }, big, detail),
    bar.node,
    hold,
    h(
      "dl",
      { class: "tiles" },
      tiles.map((made) => made.node),
    ),
  );
  const update = (status, account) => {
    node.hidden = !status.has_list;
    const parts = shares(status);
    write(big, percent(settled(status), status.total));
    const rejected = status.rejected ? `; ${count(status.rejected, "row")} of the list rejected` : "";
    write(detail, `${number(settled(status))} of ${count(status.total, "recipient")}${rejected}`);
    bar.update(status);
    const text = holdText(status, pace, account);
    write(hold, text);
    hold.hidden = !text;
    for (const { name, value, part } of tiles) {
      write(value, number(parts[name]));
      write(part, percent(parts[name], status.total));
    }
  };
  return { node, update };
}

function tile({ name, label, meaning }) {
  const [value, part] = [h("dd", { class: "value" }), h("dd", { class: "part" })];
  const node = h(
    "div",
    { class: `tile ${name}`, title: meaning },
    h("dt", {}, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), label),
    value,
    part,
  );
  return { name, value, part, node };
}

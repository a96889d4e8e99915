// Starts the page, and maps each address to what it shows.

import { campaignPage } from "./campaign_page.js";
import { campaignsPage } from "./campaigns_page.js";
import { begin } from "./connection.js";
import { editCampaignPage, newCampaignPage } from "./content_form.js";
import { beginChip } from "./destination_chip.js";
import { fill, h } from "./dom.js";
import { offerToForget } from "./token.js";

const ROUTES = [
  [/^#?\/?$/, () => campaignsPage(1)],
  [/^#\/page\/([1-9]\d{0,6})$/, (page) => campaignsPage(Number(page))],
  [/^#\/new$/, () => newCampaignPage()],
  [/^#\/campaigns\/([^/]+)$/, (id) => campaignPage(id)],
  [/^#\/campaigns\/([^/]+)\/edit$/, (id) => editCampaignPage(id)],
];

const main = document.getElementById("main");
let shown = null;

function made(address) {
  try {
    for (const [pattern, page] of ROUTES) {
      const match = pattern.exec(address);
      if (match) return page(...match.slice(1).map(decodeURIComponent));
    }
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  return {
    node: h(
      "div",
      {},
      h("h1", { tabindex: "-1" }, "Page not found"),
      h("p", {}, h("a", { href: "#/" }, "All campaigns")),
    ),
    leave: () => undefined,
  };
}

function show() {
  const before = shown;
  before?.leave();
  document.title = "Postrider";
  shown = made(location.hash);
  fill(main, shown.node);
  if (!before) return;
  window.scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", show);
offerToForget();
begin();
beginChip();
show();

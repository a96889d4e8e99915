// Asks for the API token once, and keeps it until this tab is closed.

import { h } from "./dom.js";

let asking = null;

/** Show the button that forgets the token, if this tab has one. */
export function offerToForget() {
  const button = document.getElementById("forget");
  button.hidden = !sessionStorage.getItem("token");
  button.onclick = () => {
    sessionStorage.removeItem("token");
    location.reload();
  };
}

/** Ask for the token; callers at the same time share one dialog. Resolves once the token is entered. */
export function askToken(refused) {
  asking ??= ask(refused).finally(() => {
    asking = null;
  });
  return asking;
}

function ask(refused) {
  return new Promise((resolve) => {
    const field = h("input", {
      id: "token",
      type: "password",
      autocomplete: "off",
      required: true,
      spellcheck: "false",
      "aria-describedby": "token-hint",
      "aria-invalid": refused ? "true" : null,
    });
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "token-title" },
      h(
        "form",
        { method: "dialog", onsubmit: keep },
        h("h2", { id: "token-title" }, "API token"),
        refused && h("p", { class: "problem", role: "alert" }, "The server does not accept this token."),
        h(
          "p",
          { id: "token-hint" },
          "This server needs a token: the value of its setting API_TOKEN, or the content of the file API_TOKEN_FILE. ",
          "With docker compose, this command shows it: ",
          h("code", {}, "docker compose exec web cat /app/var/api-token"),
          ". ",
          "The page keeps the token until you close this tab.",
        ),
        h("label", { for: "token" }, "Token"),
        field,
        h("div", { class: "actions" }, h("button", { class: "button primary", type: "submit" }, "Continue")),
      ),
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault()); // the page is of no use without a token

    function keep(event) {
      event.preventDefault();
      sessionStorage.setItem("token", field.value.trim());
      offerToForget();
      dialog.close();
      dialog.remove();
      resolve();
    }

    document.body.append(dialog);
    dialog.showModal();
    field.focus();
  });
}

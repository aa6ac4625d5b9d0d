// Loading, empty and error states; all pages use these.
import { h, icon } from "./dom.js";
import { sentence } from "./format.js";

/** Grey bars where something is about to be. */
export const loading = (n = 4) =>
  h(
    "div",
    { class: "skeletons", role: "status" },
    h("span", { class: "unseen" }, "Loading"),
    [...Array(n)].map((_, i) => h("div", { class: `skeleton s${i % 3}` })),
  );

/** What the server says went wrong, and its hint; `retry` is offered as a button. */
export function errorPanel(error, retry = null) {
  return h(
    "div",
    { class: "callout bad error", role: "alert" },
    icon("warning"),
    h(
      "div",
      {},
      h("strong", {}, sentence(error.message)),
      error.hint ? h("p", {}, error.hint) : null,
      retry ? h("p", {}, h("button", { type: "button", class: "button small", onclick: retry }, "Try again")) : null,
    ),
  );
}

export const emptyState = (title, text, ...actions) =>
  h(
    "div",
    { class: "empty" },
    h("h2", {}, title),
    h("p", { class: "soft" }, text),
    h("div", { class: "buttons" }, actions),
  );

/** The whole page for a browser whose session has ended, as by a new token. */
export function signedOut(retry) {
  return h(
    "div",
    { class: "page narrow" },
    h(
      "div",
      { class: "empty signed-out" },
      h("h1", { tabindex: "-1" }, "This browser is not signed in"),
      h(
        "p",
        {},
        "Open the link that ",
        h("code", {}, "tunewright serve"),
        " has printed. Each link works once and signs one browser in. For another one, run this where the server runs:",
      ),
      h("pre", {}, h("code", {}, "tunewright serve --link")),
      h("p", { class: "soft" }, "Nothing that runs is affected: studies go on whether a page is open or not."),
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", class: "button primary", onclick: retry }, "I have signed in"),
      ),
    ),
  );
}

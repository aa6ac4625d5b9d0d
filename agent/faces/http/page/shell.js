// The side bar: pages, past conversations, studies with their states, the theme. Kept up to date quietly.
import { get, listed } from "./api.js";
import { h, icon, swap } from "./dom.js";
import { studyKind } from "./marks.js";

const POLL_MS = 4000,
  SHOWN = 8;
const THEMES = [
  ["auto", "System theme", "auto"],
  ["light", "Light theme", "sun"],
  ["dark", "Dark theme", "moon"],
];

const nav = document.getElementById("nav"),
  menu = document.getElementById("menu");
let talks = [],
  studies = [],
  here = "",
  settled = "",
  reachable = true;

const link = (href, picture, text, key) =>
  h(
    "a",
    { href, class: "nav-link", "aria-current": current(href) ? "page" : null, "data-key": key ?? href },
    picture,
    h("span", { class: "nav-text" }, text),
  );
const current = (href) => here === href || (href === "#/" && here === "");
const dot = (card) => h("span", { class: `nav-dot ${studyKind(card)}`, "aria-hidden": "true" });

function draw() {
  swap(
    nav,
    h("div", { class: "nav-pages" }, link("#/", icon("plus"), "New chat"), link("#/studies", icon("list"), "Studies")),
    studies.length
      ? group(
          "Latest studies",
          studies
            .slice(0, 5)
            .map((card) =>
              link(`#/studies/${card.study}`, dot(card), [
                h("span", { class: "unseen" }, `Study ${card.study}, ${card.state_words}: `),
                h("span", { "aria-hidden": "true", class: "num nav-number" }, card.study),
                card.request,
              ]),
            ),
        )
      : null,
    talks.length
      ? group(
          "Conversations",
          talks
            .slice(0, SHOWN)
            .map((talk) => link(`#/chats/${talk.conversation_id}`, icon("chat"), talk.title || "Untitled")),
        )
      : null,
    h(
      "div",
      { class: "nav-foot" },
      themes(),
      reachable ? null : h("p", { class: "offline", role: "status" }, "The server does not answer"),
    ),
  );
}

const group = (title, links) =>
  h(
    "section",
    { class: "nav-group" },
    h("h2", {}, title),
    h(
      "ul",
      {},
      links.map((a) => h("li", {}, a)),
    ),
  );

function themes() {
  const chosen = document.documentElement.dataset.theme ?? "auto";
  return h(
    "div",
    { class: "themes", role: "group", "aria-label": "Theme" },
    THEMES.map(([name, label, picture]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(name === chosen),
          "aria-label": label,
          title: label,
          "data-key": `theme-${name}`,
          onclick: () => theme(name),
        },
        icon(picture),
      ),
    ),
  );
}

function theme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("tunewright-theme", name);
  } catch {
    /* it holds for this page then */
  }
  draw();
}

async function refresh() {
  try {
    studies = listed(await get("/v1/studies"));
    reachable = true;
  } catch (error) {
    reachable = error.status !== 0;
  }
  draw();
}

async function conversations() {
  try {
    talks = listed(await get("/v1/conversations")).filter((c) => c.turns);
  } catch {
    /* the side bar can wait */
  }
  draw();
}

function open(on) {
  menu.setAttribute("aria-expanded", String(on));
  document.body.classList.toggle("menu-open", on);
}

export const shell = {
  start() {
    menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && document.body.classList.contains("menu-open")) {
        open(false);
        menu.focus();
      }
    });
    refresh();
    conversations();
    setInterval(() => {
      if (!document.hidden) refresh();
    }, POLL_MS);
  },
  /** The address has changed. */
  at(hash) {
    here = hash;
    settled = "";
    open(false);
    draw();
  },
  /** The page one is on has got an address; nothing is drawn anew. */
  settle(hash) {
    history.replaceState(null, "", hash);
    here = settled = hash;
    draw();
  },
  title(text, onlyIfNew = false) {
    if (onlyIfNew && document.title !== "tunewright") return;
    document.title = text ? `${text.length > 60 ? `${text.slice(0, 60)}…` : text} · tunewright` : "tunewright";
  },
  conversations,
  /** The latest studies as the side bar knows them. */
  knownStudies: () => studies,
};

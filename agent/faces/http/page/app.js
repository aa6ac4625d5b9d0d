// Where one is: hash routes to pages, and the frame around them.
import { chatView } from "./chat.js";
import { h } from "./dom.js";
import { reportView } from "./report.js";
import { shell } from "./shell.js";
import { signedOut } from "./states.js";
import { studiesView } from "./studies.js";
import { studyView } from "./study.js";
import { trialView } from "./trial.js";

const ROUTES = [
  [/^#?\/?$/, "chat", (main) => chatView(main, null, shell)],
  [/^#\/chats\/([\w-]+)$/, "chat", (main, id) => chatView(main, id, shell)],
  [/^#\/studies$/, "studies", (main) => studiesView(main, shell)],
  [/^#\/studies\/([\w-]+)$/, "studies", (main, id) => studyView(main, id, shell)],
  [/^#\/studies\/([\w-]+)\/trials\/(\d+)$/, "studies", (main, id, trial) => trialView(main, id, Number(trial), shell)],
  [/^#\/studies\/([\w-]+)\/report$/, "studies", (main, id) => reportView(main, id, shell)],
];

const main = document.getElementById("main");
let leave = null,
  first = true;

function show() {
  if (location.hash === "#main") return; // the skip link
  const hash = location.hash;
  leave?.();
  leave = null;
  const found = ROUTES.map(([pattern, area, view]) => [pattern.exec(hash), area, view]).find(([match]) => match);
  main.className = found ? found[1] : "";
  main.scrollTop = 0;
  scrollTo(0, 0);
  shell.at(hash);
  if (!found) {
    nowhere();
    return;
  }
  const [[, ...parts], , view] = found;
  leave = view(main, ...parts);
  if (!first && document.activeElement?.id !== "composer")
    (main.querySelector("h1") ?? main).focus({ preventScroll: true });
  first = false;
}

function nowhere() {
  shell.title("Not found");
  main.replaceChildren(
    h(
      "div",
      { class: "page narrow" },
      h(
        "div",
        { class: "empty" },
        h("h1", { tabindex: "-1" }, "There is no such page"),
        h(
          "div",
          { class: "buttons" },
          h("a", { class: "button", href: "#/studies" }, "Studies"),
          h("a", { class: "button", href: "#/" }, "Chat"),
        ),
      ),
    ),
  );
}

let out = false;
document.addEventListener("signed-out", () => {
  if (out) return;
  out = true;
  removeEventListener("hashchange", show);
  leave?.();
  leave = null;
  shell.title("Not signed in");
  main.className = "";
  main.replaceChildren(signedOut(() => location.reload()));
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", show);
shell.start();
show();

// What the server cannot do: the theme, the menu, the box one writes in, and questions before a study is cancelled.
/* global htmx */

const $ = (selector, within = document) => within.querySelector(selector);

/* Old addresses were hashes. */
if (location.hash.startsWith("#/")) location.replace(location.hash.slice(1));

// -- requests ---------------------------------------------------------------------------------------------------

/** The server takes JSON alone: no other web page can send that. */
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "POST") return;
  ctx.request.headers["Content-Type"] = "application/json";
  ctx.request.body = JSON.stringify(Object.fromEntries(ctx.request.body ?? []));
});

/** Nobody looks at a hidden tab. */
document.addEventListener("htmx:config:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceEvent?.type === "every") event.preventDefault();
});

document.addEventListener("htmx:error", ({ detail }) => {
  if (detail.ctx?.request && !detail.ctx.response) reachable(false);
});
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  reachable(true);
  if (ctx.response.status === 401) location.reload(); // signed out: the server's page says how to come back
});

function reachable(on) {
  for (const line of document.querySelectorAll(".offline, .connection")) line.hidden = on;
}

function notice(text) {
  const box = $("#notice");
  box.replaceChildren(text);
  box.classList.add("shown");
  clearTimeout(box.timer);
  box.timer = setTimeout(() => box.classList.remove("shown"), 5000);
}

// -- theme and menu ---------------------------------------------------------------------------------------------

/** The server draws the next page in it. */
function theme(name) {
  document.documentElement.dataset.theme = name;
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
  document.cookie = `tunewright_theme=${name}; path=/; max-age=31536000; samesite=strict`;
  for (const button of document.querySelectorAll("[data-theme-choice]"))
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === name));
}

function menu(on) {
  $("#menu").setAttribute("aria-expanded", String(on));
  document.body.classList.toggle("menu-open", on);
}

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !document.body.classList.contains("menu-open")) return;
  menu(false);
  $("#menu").focus();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "menu") menu(!document.body.classList.contains("menu-open"));
  else if (button.dataset.themeChoice) theme(button.dataset.themeChoice);
  else if (button.dataset.verb) act(button.dataset.verb, button.dataset.study);
  else if (button.dataset.fill) fill(button.dataset.fill);
  else if (button.dataset.key === "edit") edit();
});

// -- a study's buttons ------------------------------------------------------------------------------------------

const DONE = { pause: "Pausing: the study keeps its place in the queue.", resume: "Resuming.", cancel: "Stopping." };

async function act(verb, study) {
  if (verb === "cancel" && !(await confirmed())) return;
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`/v1/studies/${study}/${verb}`, { method: "POST", headers, body: "{}" }).catch(() => null);
  const error = response?.ok ? null : ((await response?.json())?.error ?? { message: "The server does not answer." });
  $("#problem").replaceChildren(error ? [error.message, error.hint].filter(Boolean).join(" ") : "");
  $("#problem").className = error ? "callout bad error" : "";
  if (!error) notice(DONE[verb]);
  htmx.trigger("#live", "changed");
}

/** Resolves to whether the person has said yes. Escape means no. */
function confirmed() {
  const dialog = $("#cancel-dialog");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// -- the conversation -------------------------------------------------------------------------------------------

let sent = "";

function grow() {
  const box = $("#composer");
  if (!box) return;
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
  const send = $("#say .send");
  send.disabled = send.classList.contains("working") || !box.value.trim();
}

function fill(text) {
  const box = $("#composer");
  box.value = text;
  grow();
  box.focus();
  box.setSelectionRange(text.length, text.length);
}

function edit() {
  $("#composer").placeholder = "What should be different? For example: use rank 32 instead";
  $("#composer").focus();
}

/** The latest is in sight, unless the person has scrolled up to read. */
function bottom(force = false) {
  const scroller = $(".chat-scroll");
  if (!scroller || $(".hello")) return;
  const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 260;
  if (force || near) scroller.scrollTop = scroller.scrollHeight;
}

document.addEventListener("input", (event) => event.target.id === "composer" && grow());
document.addEventListener("keydown", (event) => {
  if (event.target.id !== "composer" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!$("#say .send").disabled) event.target.form.requestSubmit(); // one turn at a time; what is written stays
});

document.addEventListener("htmx:before:request", ({ target }) => {
  if (target.id !== "say") return;
  sent = $("#composer").value;
  $("#composer").value = "";
  $("#say .send").classList.add("working");
  grow();
});

/** What could not be sent is there again. */
function unsent() {
  $("#say .send")?.classList.remove("working");
  if (sent && !$("#composer").value) fill(sent);
}
document.addEventListener("htmx:error", ({ target }) => target.id === "say" && unsent());
document.addEventListener("htmx:after:swap", ({ target }) => {
  if (target.closest?.("#chat") || target.id === "chat") {
    if (target.id === "say" && $("#chat .callout.error")) unsent();
    grow();
    bottom(target.id === "say");
    if (target.id === "say") document.body.dispatchEvent(new CustomEvent("said"));
    if (document.activeElement === document.body) $("#composer").focus({ preventScroll: true });
  }
});

grow();
bottom(true);

// -- the page of the API ----------------------------------------------------------------------------------------

$("#filter")?.addEventListener("input", ({ target }) => {
  const words = target.value.toLowerCase().split(/\s+/);
  const routes = [...document.querySelectorAll(".route")];
  for (const route of routes) route.hidden = !words.every((word) => route.dataset.words.includes(word));
  $("#count").textContent = `${routes.filter((route) => !route.hidden).length} routes`;
});

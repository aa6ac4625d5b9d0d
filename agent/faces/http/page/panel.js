// A titled part of a page; where it holds a chart, a button shows the same as a table.
import { h, icon } from "./dom.js";

let made = 0;

export function panel(title, content, { table = null, tools = null, wide = false, level = "h2" } = {}) {
  made += 1;
  const id = `panel-${made}`;
  const body = h("div", { class: "panel-body" }, content);
  const other = table ? h("div", { class: "panel-body", hidden: true }, table) : null;
  const label = h("span", {}, "Table");
  const toggle = table
    ? h(
        "button",
        { type: "button", class: "button small quiet", "aria-pressed": "false", onclick: flip },
        icon("table"),
        label,
      )
    : null;
  function flip() {
    const shown = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(shown));
    body.hidden = shown;
    other.hidden = !shown;
  }
  return h(
    "section",
    { class: `panel ${wide ? "wide" : ""}`, "aria-labelledby": id },
    h(
      "header",
      { class: "panel-head" },
      h(level, { id, tabindex: "-1" }, title),
      h("div", { class: "panel-tools" }, tools, toggle),
    ),
    body,
    other,
  );
}

/** Buttons of which one is pressed. */
export const switcher = (label, choices, chosen, onchoose) =>
  h(
    "div",
    { class: "segmented", role: "group", "aria-label": label },
    choices.map(([name, text]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(name === chosen),
          "data-key": `${label}-${name}`,
          onclick: () => onchoose(name),
        },
        text,
      ),
    ),
  );

// A question before something that cannot be taken back.
import { h } from "./dom.js";

/** Resolves to whether the person has said yes. Escape means no. */
export function confirmed(title, text, yes, no) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "dialog-title" }, title),
        h("p", { id: "dialog-text", class: "soft" }, text),
        h(
          "div",
          { class: "buttons end" },
          h("button", { class: "button", value: "no", autofocus: true }, no),
          h("button", { class: "button danger filled", value: "yes" }, yes),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

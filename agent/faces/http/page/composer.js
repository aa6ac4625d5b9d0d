// The box one writes in: Enter sends, Shift+Enter breaks the line.
import { h, icon } from "./dom.js";

const HINT = "Describe a job, or ask about a study";

export function composer({ onsend }) {
  let working = false;
  const box = h("textarea", {
    id: "composer",
    rows: "1",
    maxlength: "20000",
    placeholder: HINT,
    "aria-label": "Message",
    "aria-describedby": "composer-help",
    autocomplete: "off",
    oninput: grow,
    onkeydown: key,
  });
  const button = h("button", { type: "submit", class: "send", "aria-label": "Send" }, icon("send", 18));
  const node = h(
    "form",
    { class: "composer", onsubmit: submit },
    box,
    button,
    h("p", { id: "composer-help", class: "composer-help" }, "Enter sends, Shift+Enter starts a new line."),
  );

  function grow() {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
    button.disabled = working || !box.value.trim();
  }

  function key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit(event);
    }
  }

  function submit(event) {
    event.preventDefault();
    const text = box.value.trim();
    if (working || !text) return; // one turn at a time; what is written stays
    box.value = "";
    box.placeholder = HINT;
    grow();
    onsend(text);
  }

  function fill(text) {
    box.value = text;
    grow();
    box.focus();
    box.setSelectionRange(text.length, text.length);
  }

  requestAnimationFrame(grow);
  return {
    node,
    fill,
    focus: () => box.focus({ preventScroll: true }),
    ask(hint) {
      box.placeholder = hint;
      box.focus();
    },
    restore(text) {
      if (!box.value && !text.startsWith("Yes, start plan") && !text.startsWith("No, not plan")) fill(text);
    },
    busy(on) {
      working = on;
      button.classList.toggle("working", on);
      grow();
    },
  };
}

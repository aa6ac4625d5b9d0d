// Building the page. Text only ever becomes text nodes: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

/** An HTML element: h("p", {class: "soft"}, "text", otherNode). Attributes that start with "on" are listeners. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element, as `h`. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const ICONS = {
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  check: "M5 12.5l4.5 4.5L19 7.500",
  cross: "M6 6l12 12M18 6L6 18",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  chevron: "M9 6l6 6-6 6",
  left: "M15 6l-6 6 6 6",
  chat: "M4 5h16v11H9l-5 4z",
  list: "M4 6h16M4 12h16M4 18h10",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  open: "M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9",
  pencil: "M5 19l1-4L16 5l3 3L9 18z",
  table: "M4 5h16v14H4zM4 10h16M4 15h16M10 5v14",
  chart: "M4 4v16h16M8 15l4-5 3 3 5-7",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.5",
  sun: "M12 3v2M12 19v2M3 12h2M19 12h2M5.600 5.600l1.400 1.400M17 17l1.400 1.400M5.600 18.400L7 17M17 7l1.400-1.400M12 8a4 4 0 100 8 4 4 0 000-8z",
  moon: "M20 14.500A8.500 8.500 0 019.500 4a8.500 8.500 0 1010.500 10.500z",
  auto: "M12 4a8 8 0 100 16 8 8 0 000-16zM12 4v16",
  report: "M6 3h9l4 4v14H6zM9 12h7M9 16h7M9 8h3",
};

/** A line icon; decoration only, the words beside it say what it means. */
export const icon = (name, size = 16) =>
  s(
    "svg",
    { viewBox: "0 0 24 24", width: size, height: size, class: "icon", "aria-hidden": "true" },
    s("path", { d: ICONS[name] }),
  );

/** Replace what is in `container`, keeping focus (by data-key), open details and how far tables are scrolled. */
export function swap(container, ...children) {
  const key = container.contains(document.activeElement) ? document.activeElement.dataset?.key : undefined;
  const scrolled = [...container.querySelectorAll(".table-scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const open = new Set([...container.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
  container.replaceChildren();
  append(container, children);
  for (const details of container.querySelectorAll("details[data-key]"))
    if (open.has(details.dataset.key)) details.open = true;
  container.querySelectorAll(".table-scroll").forEach((box, i) => {
    [box.scrollLeft, box.scrollTop] = scrolled[i] ?? [0, 0];
  });
  if (key !== undefined) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

let saying = 0;

/** Have a screen reader say something. */
export function say(text) {
  const live = document.getElementById("live");
  live.replaceChildren();
  clearTimeout(saying);
  saying = setTimeout(() => live.append(text), 60); // an emptied region is noticed to change
}

/** Show a short notice at the foot of the page. */
export function notice(text) {
  const box = document.getElementById("notice");
  box.replaceChildren(text);
  box.classList.add("shown");
  clearTimeout(box.timer);
  box.timer = setTimeout(() => box.classList.remove("shown"), 5000);
}

// A small, safe Markdown: text becomes DOM nodes, never HTML. Links lead to http(s) or into this page only.
import { h } from "./dom.js";

const INLINE =
  /(`+)(.+?)\1|\*\*(.+?)\*\*|__(.+?)__|\*([^\s*][^*]*?)\*|(?<![\w_])_([^\s_][^_]*?)_(?![\w_])|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s<>)"']+[^\s<>)"'.,;:!?])/;

function link(target, label) {
  if (target.startsWith("#/")) return h("a", { href: target }, label);
  if (/^https?:\/\//i.test(target))
    return h("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, label);
  return [label, ` (${target})`];
}

/** Inline Markdown as a list of nodes and strings. */
export function inline(text) {
  const out = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    const [all, , code, bold, bold2, italic, italic2, label, target, bare] = found;
    if (found.index) out.push(rest.slice(0, found.index));
    if (code !== undefined) out.push(h("code", {}, code.trim()));
    else if (bold ?? bold2) out.push(h("strong", {}, inline(bold ?? bold2)));
    else if (italic ?? italic2) out.push(h("em", {}, inline(italic ?? italic2)));
    else if (label !== undefined) out.push(link(target, label));
    else out.push(link(bare, bare));
    rest = rest.slice(found.index + all.length);
  }
  if (rest) out.push(rest);
  return out;
}

const FENCE = /^\s*(```|~~~)/,
  HEADING = /^(#{1,6})\s+(.*)$/,
  ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/,
  RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const ROW = /^\s*\|.*\|\s*$/,
  DIVIDER = /^\s*\|[\s:|-]+\|\s*$/;
const special = (line) =>
  !line.trim() ||
  FENCE.test(line) ||
  HEADING.test(line) ||
  ITEM.test(line) ||
  /^>/.test(line) ||
  ROW.test(line) ||
  RULE.test(line);

/** Markdown as a list of block elements. */
export function markdown(text) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const out = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) at += 1;
    else [out[out.length], at] = block(lines, at);
  }
  return out;
}

function block(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return fence(lines, at);
  const heading = HEADING.exec(line);
  if (heading) return [h(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(heading[2])), at + 1];
  if (RULE.test(line)) return [h("hr"), at + 1];
  if (ROW.test(line) && DIVIDER.test(lines[at + 1] ?? "")) return table(lines, at);
  if (ITEM.test(line)) return list(lines, at);
  if (/^>/.test(line)) {
    let end = at;
    while (end < lines.length && /^>/.test(lines[end])) end += 1;
    return [
      h(
        "blockquote",
        {},
        markdown(
          lines
            .slice(at, end)
            .map((l) => l.replace(/^>\s?/, ""))
            .join("\n"),
        ),
      ),
      end,
    ];
  }
  let end = at + 1;
  while (end < lines.length && !special(lines[end])) end += 1;
  const rows = lines
    .slice(at, end)
    .flatMap((l, i) => [i ? (lines[at + i - 1].endsWith("  ") ? h("br") : " ") : "", ...inline(l.trim())]);
  return [h("p", {}, rows), end];
}

function fence(lines, at) {
  const mark = FENCE.exec(lines[at])[1];
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end += 1;
  return [
    h(
      "pre",
      { tabindex: "0", role: "group", "aria-label": "code" },
      h("code", {}, lines.slice(at + 1, end).join("\n")),
    ),
    end + 1,
  ];
}

function list(lines, at) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const items = [];
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (found && found[1].length <= indent.length) {
      if (/\d/.test(found[2]) !== ordered) break;
      items.push([found[3]]);
    } else if (items.length && lines[at].trim() && /^\s/.test(lines[at]))
      items.at(-1).push(lines[at].slice(Math.min(indent.length + 2, /^\s*/.exec(lines[at])[0].length)));
    else break;
    at += 1;
  }
  const start = ordered && parseInt(mark, 10) !== 1 ? parseInt(mark, 10) : null;
  return [
    h(
      ordered ? "ol" : "ul",
      { start },
      items.map(([first, ...more]) => h("li", {}, inline(first), more.length ? markdown(more.join("\n")) : null)),
    ),
    at,
  ];
}

const cells = (row) =>
  row
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((c) => c.trim());

function table(lines, at) {
  const align = cells(lines[at + 1]).map((c) => (/^-+:$/.test(c) ? "number" : null));
  const row = (line, tag) =>
    h(
      "tr",
      {},
      cells(line).map((c, i) =>
        tag === "th" && c
          ? h("th", { class: align[i], scope: "col" }, inline(c))
          : h("td", { class: align[i] }, inline(c)),
      ),
    );
  let end = at + 2;
  while (end < lines.length && ROW.test(lines[end])) end += 1;
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  return [
    h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "table" },
      h("table", {}, h("thead", {}, row(lines[at], "th")), h("tbody", {}, body)),
    ),
    end,
  ];
}

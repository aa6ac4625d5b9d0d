// Renders /openapi.json: routes by tag, each with parameters, body and answers. No library, nothing from elsewhere.
"use strict";

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

let api = null;

const resolved = (schema) => {
  const name = schema?.$ref?.split("/").pop();
  return name ? { name, ...api.components.schemas[name] } : { name: null, ...schema };
};

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map(typeOf).join(" | ");
  if (schema.type === "array") return `${typeOf(schema.items ?? {}) || "any"}[]`;
  if (schema.type === "object" && schema.additionalProperties?.type) return `{string: ${typeOf(schema.additionalProperties)}}`;
  return schema.type ?? "any";
}

function table(head, rows) {
  const line = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, tag === "th" ? { scope: "col" } : {}, cell)));
  return make("table", {}, make("thead", {}, line(head, "th")), make("tbody", {}, ...rows.map((row) => line(row, "td"))));
}

function namesIn(schema, found = new Set()) {
  for (const [key, value] of Object.entries(schema ?? {})) {
    if (key === "$ref") found.add(value.split("/").pop());
    else if (value && typeof value === "object") namesIn(value, found);
  }
  return found;
}

/** A model that a field has, to be opened. */
function nested(name, above) {
  const inside = make("div", { class: "inside" });
  const details = make("details", {}, make("summary", {}, make("code", {}, name)), inside);
  details.addEventListener("toggle", () => {
    if (!inside.childElementCount) inside.append(shown({ $ref: `#/components/schemas/${name}` }, above));
  });
  return details;
}

function shown(schema, above = []) {
  const found = resolved(schema);
  if (!found.properties) {
    const inner = [...namesIn(schema)].filter((name) => !above.includes(name));
    return make("div", {}, make("p", {}, make("code", {}, typeOf(schema))), ...inner.map((name) => nested(name, [...above, name])));
  }
  const required = new Set(found.required ?? []);
  const rows = Object.entries(found.properties).map(([name, field]) => [
    make("code", {}, name), `${typeOf(field)}${required.has(name) ? ", required" : ""}`, field.description ?? "",
  ]);
  const inner = [...namesIn(found.properties)].filter((name) => name !== found.name && !above.includes(name));
  const more = inner.map((name) => nested(name, [...above, found.name]));
  const title = above.length ? null : make("p", {}, make("code", {}, found.name ?? "object"));
  return make("div", {}, title, table(["field", "type", "meaning"], rows), ...more);
}

function section(title, ...content) {
  return make("div", {}, make("h3", {}, title), ...content);
}

function example(verb, path, operation) {
  const lines = [`curl -H "Authorization: Bearer $OPENAI_API_KEY"`];
  if (verb !== "get") lines.push(`-X ${verb.toUpperCase()} -H "Content-Type: application/json"`);
  if (operation.requestBody?.content?.["application/json"]) lines.push("-d '{…}'");
  return make("pre", { tabindex: "0", "aria-label": "example" }, `${lines.join(" ")} ${location.origin}${path}`);
}

function route(path, verb, operation) {
  const inside = make("div", { class: "inside" });
  const summary = make("summary", {}, make("span", { class: "verb" }, verb.toUpperCase()),
    make("span", { class: "path" }, path), " ", make("span", { class: "about" }, operation.summary ?? ""));
  const details = make("details", { "data-words": `${verb} ${path} ${operation.summary}`.toLowerCase() }, summary, inside);
  details.addEventListener("toggle", () => {
    if (inside.childElementCount) return;
    if (operation.description) inside.append(make("p", {}, operation.description));
    const parameters = operation.parameters ?? [];
    if (parameters.length) {
      inside.append(section("Parameters", table(["name", "in", "type", "meaning"], parameters.map((p) => [
        make("code", {}, p.name), p.in, typeOf(p.schema), p.description ?? p.schema?.description ?? ""]))));
    }
    for (const [kind, body] of Object.entries(operation.requestBody?.content ?? {})) {
      inside.append(section(`Body (${kind})`, shown(body.schema)));
    }
    for (const [status, answer] of Object.entries(operation.responses ?? {})) {
      if (status === "default" || status === "422") continue;
      const schema = answer.content?.["application/json"]?.schema;
      inside.append(section(`${status} ${answer.description ?? ""}`, schema ? shown(schema) : null));
    }
    inside.append(section("Example", example(verb, path, operation)));
  });
  return details;
}

function draw(main) {
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const tag = operation.tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(route(path, verb, operation));
    }
  }
  for (const [tag, routes] of groups) main.append(make("section", {}, make("h2", {}, tag), ...routes));
}

function filter(words) {
  let n = 0;
  for (const details of document.querySelectorAll("details[data-words]")) {
    details.hidden = !words.every((word) => details.dataset.words.includes(word));
    n += details.hidden ? 0 : 1;
  }
  for (const group of document.querySelectorAll("section")) group.hidden = !group.querySelector("details:not([hidden])");
  document.getElementById("count").textContent = `${n} routes`;
}

addEventListener("DOMContentLoaded", async () => {
  const main = document.getElementById("routes");
  const answer = await fetch("/openapi.json", { credentials: "same-origin" });
  api = await answer.json();
  document.getElementById("about").textContent = api.info.description;
  draw(main);
  const box = document.getElementById("filter");
  box.addEventListener("input", () => filter(box.value.toLowerCase().split(/\s+/).filter(Boolean)));
  filter([]);
});

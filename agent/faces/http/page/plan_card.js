// A plan: what was understood and from which words, the data, what is searched, what it will cost.
import { h, icon } from "./dom.js";
import { megabytes, seconds, usd, words } from "./format.js";

/** Where a value came from: the user's words are quoted by the server, all else is inferred or a default. */
function origin(text) {
  if (!text) return null;
  const kind = text.startsWith("“") ? "said" : text.startsWith("default") ? "default" : "inferred";
  const label = { said: "your words", default: "default", inferred: "inferred" }[kind];
  const rest = kind === "said" ? text : text.replace(/^(default|inferred):\s*/, "");
  return h("span", { class: "origin" }, h("span", { class: `tag ${kind}` }, label), h("span", {}, rest));
}

/** Lines as the plan has them, or by name as a tool's result has them. */
const listed = (lines) =>
  Array.isArray(lines)
    ? lines
    : Object.entries(lines ?? {}).map(([name, line]) => ({
        name,
        value: String(line?.value ?? line),
        origin: line?.origin ?? "",
      }));

const list = (lines, name) =>
  listed(lines).length
    ? h(
        "dl",
        { class: `lines ${name}` },
        listed(lines).map((line) =>
          h(
            "div",
            {},
            h("dt", {}, words(line.name)),
            h("dd", {}, h("span", { class: "line-value" }, line.value.replace(/,\s*$/, "")), origin(line.origin)),
          ),
        ),
      )
    : null;

const fact = (name, value, note) =>
  h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null));

function estimate(plan) {
  const facts = [];
  if (plan.trials) facts.push(fact("Trials", String(plan.trials)));
  if (plan.seconds_p50 !== null && plan.seconds_p50 !== undefined)
    facts.push(
      fact(
        "Time",
        `about ${seconds(plan.seconds_p50)}`,
        plan.seconds_p90 ? `up to ${seconds(plan.seconds_p90)}` : null,
      ),
    );
  if (plan.peak_memory_mb)
    facts.push(fact("Memory", megabytes(plan.peak_memory_mb), plan.device ? `on ${plan.device}` : null));
  if (plan.adapter_mb) facts.push(fact("Adapter", megabytes(plan.adapter_mb)));
  if (plan.llm_tokens)
    facts.push(
      fact(
        "Planner LLM",
        `≤ ${plan.llm_tokens.toLocaleString("en")} tokens`,
        plan.llm_usd ? `≤ ${usd(plan.llm_usd)}` : null,
      ),
    );
  return facts.length ? h("dl", { class: "facts" }, facts) : null;
}

const notes = (items, kind, title) =>
  items?.length
    ? h(
        "div",
        { class: `callout ${kind}` },
        icon("warning"),
        h(
          "div",
          {},
          h("strong", {}, title),
          h(
            "ul",
            {},
            items.map((i) => h("li", {}, i)),
          ),
        ),
      )
    : null;

const fold = (key, title, content) =>
  content ? h("details", { class: "fold", "data-key": key }, h("summary", {}, icon("chevron"), title), content) : null;

/** The card without its buttons; `state` is a word such as "approved" where there is one. */
export function planBody(plan, state = null) {
  const problem = plan.problem;
  return [
    h(
      "header",
      { class: "card-head" },
      h(
        "div",
        {},
        h("h2", {}, plan.ready ? "Plan" : problem ? "This plan cannot be carried out" : "Almost a plan"),
        plan.request ? h("p", { class: "soft quote" }, plan.request) : null,
      ),
      h(
        "div",
        { class: "card-tags" },
        state ? h("span", { class: "tag" }, state) : null,
        plan.plan_hash ? h("code", { class: "hash", title: plan.plan_hash }, plan.plan_hash.slice(0, 12)) : null,
      ),
    ),
    problem
      ? h(
          "div",
          { class: "callout bad" },
          icon("warning"),
          h("div", {}, h("strong", {}, problem.message), problem.hint ? h("p", {}, problem.hint) : null),
        )
      : null,
    plan.questions?.length
      ? h(
          "div",
          { class: "callout warn" },
          icon("chat"),
          h(
            "div",
            {},
            h("strong", {}, "To be answered first"),
            h(
              "ul",
              {},
              plan.questions.map((q) =>
                h("li", {}, q.question, q.suggestion ? [" Suggestion: ", h("code", {}, q.suggestion)] : null),
              ),
            ),
          ),
        )
      : null,
    listed(plan.changed).length
      ? h(
          "div",
          { class: "changed" },
          h("p", { class: "label" }, "Changed"),
          h(
            "ul",
            {},
            listed(plan.changed).map((c) =>
              h(
                "li",
                {},
                h("span", {}, words(c.name.split(".").at(-1))),
                " ",
                h("del", {}, c.origin),
                h("span", { "aria-hidden": "true" }, " → "),
                h("ins", {}, c.value),
              ),
            ),
          ),
        )
      : null,
    estimate(plan),
    list(plan.understood, "understood"),
    notes(plan.not_obeyed, "warn", "Not understood or not obeyed"),
    notes(plan.notes, "info", plan.notes?.length === 1 ? "Note" : "Notes"),
    fold("data", "Data", list(plan.data, "data")),
    fold("searched", `Search space · ${listed(plan.searched).length} hyperparameters`, list(plan.searched, "searched")),
  ];
}

/** A plan that waits: its buttons bind to the hash that is shown. `act(verb, hash)` is approve, decline or edit. */
export function approvalCard(plan, act) {
  const button = (verb, label, kind, picture) =>
    h(
      "button",
      { type: "button", class: `button ${kind}`, "data-key": verb, onclick: () => act(verb, plan.plan_hash) },
      icon(picture),
      label,
    );
  return h(
    "section",
    { class: "card plan waits", "aria-label": "Plan that waits for your approval" },
    planBody(plan, null),
    h(
      "footer",
      { class: "card-foot" },
      h("p", { class: "soft" }, "Nothing has been spent. Approving starts exactly this plan."),
      h(
        "div",
        { class: "buttons" },
        button("approve", "Approve", "primary", "check"),
        button("edit", "Edit", "", "pencil"),
        button("decline", "Decline", "", "cross"),
      ),
    ),
  );
}

/** A plan to look at. */
export const planCard = (plan, state = null) =>
  h("section", { class: "card plan", "aria-label": "Plan" }, planBody(plan, state));

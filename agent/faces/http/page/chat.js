// The conversation: what was said, what is happening, and the plan that waits for a yes.
import { ApiError, get, post, postStream } from "./api.js";
import { composer } from "./composer.js";
import { h, say, swap } from "./dom.js";
import { Reply, storedTurns, userBubble } from "./reply.js";
import { approvalCard } from "./plan_card.js";
import { errorPanel, loading } from "./states.js";

const POLL_MS = 1000;
const SUGGESTIONS = [
  ["Try it on this machine", "classify stdlib:docstrings@300 with MiniLM, 2 trials, 1 epoch"],
  ["Tune on a file", "classify the complaints in complaints.csv, best macro-F1, 12 trials"],
  ["Question answering", "LoRA-tune Qwen/Qwen3-0.6B on faq.jsonl (question -> answer), best exact match, two hours"],
  ["Preference tuning", "length-normalised DPO on pairs.jsonl with gpt2, beta between 2 and 10, seed 3"],
];

/** The chat page; `id` is null for a conversation that has not begun. Returns a function that leaves it. */
export function chatView(main, id, shell) {
  let busy = false,
    gone = false;
  const log = h("div", { class: "turns" });
  const slot = h("div", { class: "waiting-slot" });
  const thread = h("div", { class: "thread" }, log, slot);
  const scroller = h(
    "div",
    { class: "chat-scroll" },
    h("div", { class: "chat-column" }, h("h1", { class: "unseen", tabindex: "-1" }, "Chat"), thread),
  );
  const input = composer({ onsend: send });
  main.replaceChildren(
    h(
      "div",
      { class: "chat" },
      scroller,
      h("div", { class: "chat-foot" }, h("div", { class: "chat-column" }, input.node)),
    ),
  );
  if (id === null) empty();
  else load();

  function empty() {
    scroller.classList.add("is-empty");
    thread.prepend(
      h(
        "div",
        { class: "hello" },
        h("p", { class: "hello-title" }, "What should be fine-tuned?"),
        h(
          "p",
          { class: "soft" },
          "Describe the job in plain words. You get a plan with its costs; nothing starts before you approve it.",
        ),
        h(
          "ul",
          { class: "suggestions", "aria-label": "Suggestions" },
          SUGGESTIONS.map(([title, text]) =>
            h(
              "li",
              {},
              h(
                "button",
                { type: "button", class: "suggestion", onclick: () => input.fill(text) },
                h("strong", {}, title),
                h("span", {}, text),
              ),
            ),
          ),
        ),
      ),
    );
    input.focus();
  }

  async function load() {
    if (gone) return;
    if (!log.firstChild) log.replaceChildren(loading(3));
    try {
      const { turns, pending, title, answering } = await get(`/v1/conversations/${encodeURIComponent(id)}`);
      if (gone) return;
      log.replaceChildren(...storedTurns(turns));
      shell.title(title || "Chat");
      showPending(answering ? null : pending);
      input.busy(answering);
      if (answering) {
        log.append(new Reply().node);
        setTimeout(load, POLL_MS);
      }
      bottom(true);
      requestAnimationFrame(() => bottom(true));
    } catch (error) {
      if (!gone) log.replaceChildren(errorPanel(error, load));
    }
  }

  const showPending = (plan) => swap(slot, plan ? approvalCard(plan, act) : null);

  function act(verb, hash) {
    if (verb === "edit") {
      input.ask("What should be different? For example: use rank 32 instead");
      return;
    }
    const words = verb === "approve" ? `Yes, start plan ${hash.slice(0, 12)}.` : `No, not plan ${hash.slice(0, 12)}.`;
    run(words, (conversation) => postStream(`/v1/conversations/${conversation}/${verb}`, { plan_hash: hash }));
  }

  function send(text) {
    run(text, (conversation) => postStream(`/v1/conversations/${conversation}/messages`, { text }));
  }

  async function begin() {
    if (id !== null) return;
    const made = await post("/v1/conversations");
    id = String(made.conversation_id ?? made.id);
    if (gone) return;
    shell.settle(`#/chats/${id}`);
    scroller.classList.remove("is-empty");
    thread.querySelector(".hello")?.remove();
  }

  async function run(words, open) {
    if (busy) return;
    busy = true;
    input.busy(true);
    slot.inert = true;
    let reply = null;
    try {
      await begin();
      shell.title(words, true);
      showPending(null);
      reply = new Reply();
      log.append(userBubble(words), reply.node);
      bottom(true);
      say("tunewright is answering");
      await take(open(id), reply);
    } catch (error) {
      failed(error, reply, words);
    } finally {
      busy = false;
      slot.inert = false;
      if (!gone) {
        reply?.over();
        input.busy(false);
        bottom();
        shell.conversations();
      }
    }
  }

  async function take(happenings, reply) {
    let approval = null,
      done = false;
    for await (const happening of happenings) {
      if (gone) return;
      if (happening.kind === "approval") approval = happening.plan;
      else if (happening.kind === "done") done = true;
      else if (happening.kind === "error") throw new ApiError(500, happening.error);
      else reply.take(happening);
      bottom();
    }
    if (gone) return;
    if (approval) {
      showPending(approval);
      bottom();
    }
    if (!done) await refreshPending();
    say(`${reply.words}${approval ? " A plan waits for your approval." : ""}`);
  }

  async function failed(error, reply, words) {
    if (gone) return;
    (reply?.node ?? thread).append(errorPanel(error));
    say(error.message);
    input.restore(words);
    if (id === null) return;
    if (error.status === 0) recover();
    else await refreshPending();
  }

  /** The connection broke: the reply goes on at the server, and is shown once that answers again. */
  async function recover() {
    await new Promise((wake) => {
      setTimeout(wake, 2 * POLL_MS);
    });
    if (gone || busy) return;
    try {
      await get(`/v1/conversations/${encodeURIComponent(id)}`);
    } catch (error) {
      if (error.status === 0) recover();
      return;
    }
    load();
  }

  /** After a reply that was cut off, or an approval that was refused: what waits now is the server's to say. */
  async function refreshPending() {
    try {
      const { pending } = await get(`/v1/conversations/${encodeURIComponent(id)}`);
      if (!gone) showPending(pending);
    } catch {
      /* the error is shown already */
    }
  }

  function bottom(force = false) {
    const near = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 160;
    if (force || near) scroller.scrollTop = scroller.scrollHeight;
  }

  return () => {
    gone = true;
  }; // a reply goes on at the server, and is there when one comes back
}

// One reply as it comes: text, tool calls, a study that was started; and replies of before from their stored turns.
import { liveStudy, toolCall } from "./cards.js";
import { get } from "./api.js";
import { h } from "./dom.js";
import { markdown } from "./markdown.js";

export const userBubble = (text) => h("article", { class: "turn user", "aria-label": "You" }, h("p", {}, text));

/** A reply that grows; `node` is its place on the page. */
export class Reply {
  words = "";
  #calls = new Map();
  #text = null;
  #drawn = 0;

  constructor(streaming = true) {
    this.work = h("div", { class: "tools" });
    this.thinking = h("p", { class: "thinking" }, h("span", { class: "unseen" }, "Working"), h("i"), h("i"), h("i"));
    this.node = h(
      "article",
      { class: "turn reply", "aria-label": "tunewright", "aria-busy": streaming ? "true" : null },
      streaming ? this.thinking : null,
    );
  }

  /** A happening of the stream. */
  take(happening) {
    if (happening.kind === "text") this.text(happening.text);
    else if (happening.kind === "retracted") this.#retract();
    else if (happening.kind === "tool_started") this.started(happening);
    else if (happening.kind === "tool_done") this.done(happening);
    else if (happening.kind === "study_started") this.study(happening.study);
  }

  text(piece) {
    if (!this.#text) {
      this.#text = h("div", { class: "prose" });
      this.#text.source = "";
      this.#put(this.#text);
    }
    const place = this.#text;
    place.source += piece;
    this.words += piece;
    cancelAnimationFrame(this.#drawn);
    this.#drawn = requestAnimationFrame(() => place.replaceChildren(...markdown(place.source)));
    if (document.hidden) place.replaceChildren(...markdown(place.source));
  }

  started({ call_id, name, arguments: args }) {
    const call = toolCall(name, args);
    this.#calls.set(call_id, call);
    this.#text = null;
    this.#put(call.node);
    return call;
  }

  done(happening) {
    const call =
      this.#calls.get(happening.call_id) ?? this.started({ ...happening, arguments: happening.arguments ?? {} });
    call.finish(happening);
    this.#calls.delete(happening.call_id);
  }

  study(card) {
    this.#text = null;
    this.#put(liveStudy(card));
  }

  note(text) {
    this.#put(h("p", { class: "soft" }, text));
  }

  over() {
    for (const call of this.#calls.values()) call.interrupt();
    this.thinking.remove();
    this.node.removeAttribute("aria-busy");
  }

  #retract() {
    for (const node of this.node.querySelectorAll(".prose")) node.remove();
    this.#text = null;
    this.words = "";
  }

  #put(node) {
    if (this.thinking.parentNode === this.node) this.thinking.before(node);
    else this.node.append(node);
  }
}

/** The stored turns of a conversation as nodes. */
export function storedTurns(turns) {
  const nodes = [];
  let reply = null;
  const current = () => {
    if (!reply) {
      reply = new Reply(false);
      nodes.push(reply.node);
    }
    return reply;
  };
  for (const turn of turns) {
    if (turn.role === "user") {
      nodes.push(userBubble(turn.text));
      reply = null;
      continue;
    }
    if (turn.role === "tool") {
      current().done({
        ok: true,
        result: {},
        ...turn.data,
        call_id: turn.data.call_id ?? turn.turn_id,
        summary: turn.text,
      });
      continue;
    }
    const started = turn.data?.memory?.started;
    const before = nodes.findLast((node) => node.dataset?.started)?.dataset.started;
    if (started && started !== before) placeStudy(current(), started);
    if (started) current().node.dataset.started = started;
    if (turn.text) current().text(turn.text);
    reply = null;
  }
  return nodes;
}

function placeStudy(reply, id) {
  const box = h("div", { class: "live-study" });
  reply.node.append(box);
  get(`/v1/studies/${encodeURIComponent(id)}`).then(
    (card) => box.replaceChildren(liveStudy(card)),
    () => box.remove(),
  );
}

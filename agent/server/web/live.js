// A study's events as they come: server-sent events, and every two seconds by asking where that fails.
import { get, getStream } from "./api.js";

const POLL_MS = 2000, PAGE = 500, GIVE_UP_AFTER = 2;

/**
 * Tell `onevents(list)` of everything after `after`, until the study is over or the returned function is called.
 * `onstate(words)` hears "live", "polling", "lost" or "over".
 */
export function follow(study, after, onevents, onstate) {
  const stopped = new AbortController();
  const path = `/v1/studies/${encodeURIComponent(study)}/events`;
  let cursor = after, failures = 0;
  const take = (events) => { if (events.length) { cursor = Math.max(cursor, ...events.map((e) => e.seq)); onevents(events); } };
  const pause = () => new Promise((wake) => { setTimeout(wake, POLL_MS); });

  async function stream() {
    let some = false;
    for await (const { data } of getStream(`${path}?after=${cursor}&stream=1`, stopped.signal)) {
      if (!some) onstate("live");
      some = true;
      if (data.seq) take([data]);
    }
    return some;
  }

  async function poll() {
    const page = await get(`${path}?after=${cursor}&limit=${PAGE}`, stopped.signal);
    take(page.events);
    return page.over && !page.more;
  }

  async function loop() {
    while (!stopped.signal.aborted) {
      try {
        if (failures < GIVE_UP_AFTER) { onstate("live"); if (!(await stream())) failures += 1; }
        else onstate("polling");
        if (await poll()) { onstate("over"); return; }
      } catch (error) {
        if (stopped.signal.aborted || error.status === 401) return;
        failures += 1;
        onstate(error.status === 0 ? "lost" : "polling");
      }
      await pause();
      if (failures > 30) failures = 0; // a stream may work again after a while
    }
  }
  loop();
  return () => stopped.abort();
}

/** Events of a study in (after, until], oldest first. */
export async function pastEvents(study, after) {
  const found = [];
  for (let page = { more: true, after }; page.more;) {
    page = await get(`/v1/studies/${encodeURIComponent(study)}/events?after=${page.after}&limit=${PAGE}`);
    found.push(...page.events);
  }
  return found;
}

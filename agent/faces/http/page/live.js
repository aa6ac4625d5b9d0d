// A study's events as they come: server-sent events, and every two seconds by asking where that fails.
import { get, getStream } from "./api.js";

const POLL_MS = 2000,
  PAGE = 500,
  GIVE_UP_AFTER = 2;

/**
 * Tell `onevents(list)` of everything after `after`, until the study is over or the returned function is called.
 * `onstate(words)` hears "live", "polling", "lost" or "over".
 */
export function follow(study, after, onevents, onstate) {
  const stopped = new AbortController();
  const path = `/v1/studies/${encodeURIComponent(study)}/events`;
  let cursor = after,
    failures = 0,
    current = null;
  const hangUp = () => {
    if (document.hidden || stopped.signal.aborted) current?.abort();
  };
  document.addEventListener("visibilitychange", hangUp);
  const take = (events) => {
    if (events.length) {
      cursor = Math.max(cursor, ...events.map((e) => e.seq));
      onevents(events);
    }
  };
  const pause = () =>
    new Promise((wake) => {
      setTimeout(wake, POLL_MS);
    });
  const ended = (error) => stopped.signal.aborted || error.status === 401;

  /** Until it ends. A stream that gives nothing twice in a row is not asked for again, unless the server was away. */
  async function stream() {
    let some = false;
    current = new AbortController();
    try {
      for await (const { data } of getStream(`${path}?after=${cursor}&stream=1`, current.signal)) {
        if (!some) {
          some = true;
          failures = 0;
          onstate("live");
        }
        if (data.seq) take([data]);
      }
      if (!some) failures += 1;
    } catch (error) {
      if (ended(error)) throw error;
      if (error.name !== "AbortError") failures += 1;
    }
  }

  async function poll() {
    const page = await get(`${path}?after=${cursor}&limit=${PAGE}`, stopped.signal);
    take(page.events);
    return page.over && !page.more;
  }

  async function loop() {
    for (let away = false; !stopped.signal.aborted; await pause()) {
      try {
        await shown();
        if (failures < GIVE_UP_AFTER) await stream();
        if (document.hidden) continue;
        if (await poll()) {
          onstate("over");
          return;
        }
        if (away) failures = 0;
        away = false;
        onstate(failures < GIVE_UP_AFTER ? "live" : "polling");
      } catch (error) {
        if (ended(error)) return;
        away = true;
        onstate(error.status === 0 ? "lost" : "polling");
      }
    }
  }
  loop();
  return () => {
    stopped.abort();
    hangUp();
    document.removeEventListener("visibilitychange", hangUp);
  };
}

/** When the page is looked at. Tabs in the background hold no connection: a browser has six for all of them. */
const shown = () =>
  new Promise((go) => {
    if (document.hidden) document.addEventListener("visibilitychange", () => go(), { once: true });
    else go();
  });

/** Events of a study in (after, until], oldest first. */
export async function pastEvents(study, after) {
  const found = [];
  for (let page = { more: true, after }; page.more; ) {
    page = await get(`/v1/studies/${encodeURIComponent(study)}/events?after=${page.after}&limit=${PAGE}`);
    found.push(...page.events);
  }
  return found;
}

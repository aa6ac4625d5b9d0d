// The server's routes. Every failure is an ApiError with what the server says: {code, message, hint}.

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message || `The server answered ${status}.`);
    Object.assign(this, { status, code: body.code ?? "error", hint: body.hint ?? null });
  }
}

const UNREACHABLE = {
  code: "unreachable",
  message: "The server does not answer.",
  hint: "Studies go on without it. Start it again with `tunewright serve`; this page finds it by itself.",
};

async function problem(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiError(
    response.status,
    body.error ?? (body.message ? body : { message: body.detail?.message ?? body.detail }),
  );
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, UNREACHABLE);
  }
  if (response.status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
  if (!response.ok) throw await problem(response);
  return response;
}

export const get = async (path, signal) => (await call(path, { signal })).json();

const posting = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body ?? {}),
  signal,
});

export const post = async (path, body) => (await call(path, posting(body))).json();

/** A list, whether it comes bare or in an envelope. */
export const listed = (answer) => (Array.isArray(answer) ? answer : (answer.data ?? []));

/** What a POST answers as server-sent events: yields each event's JSON. */
export async function* postStream(path, body, signal) {
  const response = await call(path, posting(body, signal));
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
    yield* listed(await response.json());
    return;
  }
  for await (const event of events(response.body)) yield event.data;
}

/** The same for a GET; yields {id, name, data}. */
export async function* getStream(path, signal) {
  yield* events((await call(path, { signal, headers: { Accept: "text/event-stream" } })).body);
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event) yield event;
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? new ApiError(0, UNREACHABLE) : error; // the connection broke
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(block) {
  const event = { id: null, name: "message", data: null };
  const data = [];
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at < 1) continue; // a comment keeps the line alive
    const value = line.slice(at + 1).replace(/^ /, "");
    const field = line.slice(0, at);
    if (field === "data") data.push(value);
    else if (field === "id") event.id = value;
    else if (field === "event") event.name = value;
  }
  if (!data.length || data.join("") === "[DONE]") return null;
  event.data = JSON.parse(data.join("\n"));
  return event;
}

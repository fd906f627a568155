// Asks the server, and says in words why it does not answer. Nothing else of the page knows fetch.

const TOKEN = "renaissance-token"; // in sessionStorage: gone with the tab

/** An answer that is none: what to say, and the field that it is about, or its member `example` of several. */
export class Refused extends Error {
  constructor(message, { status = 0, field = null, example = null, wait = null } = {}) {
    super(message);
    Object.assign(this, { status, field, example, wait });
  }
}

/** What is told of every answer: the page's state follows it. */
export const told = new EventTarget();

export function keepToken(token) {
  try { sessionStorage.setItem(TOKEN, token); } catch { /* a browser that keeps nothing: then for this page alone */ }
  keepToken.kept = token;
}

/** The token that was given; none where the server asks for none. */
export function keptToken() {
  try { return sessionStorage.getItem(TOKEN) || keepToken.kept; } catch { return keepToken.kept; }
}

function headers(more = {}) {
  const token = keptToken();
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

const GONE = "The server does not answer. It may have been ended, or the network is down.";
const CUT = "The answer broke off: the server has ended, or the network is down.";

async function send(path, { body, signal } = {}) {
  const options = body === undefined
    ? { headers: headers() }
    : { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { ...options, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw refused(new Refused(GONE));
  }
  if (!answer.ok) throw refused(await reason(answer));
  told.dispatchEvent(new CustomEvent("answer", { detail: { status: answer.status } }));
  return answer;
}

function refused(error) {
  told.dispatchEvent(new CustomEvent("answer", { detail: error }));
  return error;
}

const WORDS = {
  401: "This server answers only to those who have its token.",
  404: "The server knows no such address.",
  413: "This is larger than the server takes.",
  429: "Too many questions at once.",
  503: "The server is busy.",
};

async function reason(answer) {
  let error = {};
  try { error = (await answer.json()).error || {}; } catch { /* something before the server answered, not the server */ }
  const message = error.message || WORDS[answer.status] || `The server answered with status ${answer.status}.`;
  const wait = Number(answer.headers.get("Retry-After")) || null;
  return new Refused(message, { status: answer.status, field: error.field || null, example: error.example ?? null, wait });
}

/** What an answer holds, once all of it has come. */
async function arrived(reading) {
  try {
    return await reading;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw error.name === "SyntaxError" ? new Refused("What came back is no answer of this server's.") : refused(new Refused(CUT));
  }
}

/** The answer to a question as JSON; without a body it is a GET. */
export async function ask(path, body, signal) {
  return arrived((await send(path, { body, signal })).json());
}

/** A file of the server, such as a picture, as bytes. */
export async function fetched(path, signal) {
  return arrived((await send(path, { signal })).blob());
}

/** Events as the server sends them, `{event, data}`, up to one that is called `last`. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export async function* events(path, body, last, signal) {
  const reader = (await send(path, { body, signal })).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await arrived(reader.read());
    if (done) throw refused(new Refused(CUT)); // half a caption must not pass for a whole one
    const blocks = (rest + value).replace(/\r\n?(?!$)/g, "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      const event = lines.find((line) => line.startsWith("event:"));
      const name = event ? event.slice(6).trim() : "message";
      if (data) yield { event: name, data: JSON.parse(data) };
      if (name === last) return;
    }
  }
}

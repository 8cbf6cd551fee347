// The page's requests to its server. `Api.get` and `Api.post` return JSON, or throw an Error with `status` and the
// server's message. A request without an answer is repeated with the same id: the server saves it once.
"use strict";

const Api = (() => {
  let token = "";
  let mine = ""; // the token of the reviewer's name

  class Refused extends Error {
    constructor(status, words, more) {
      super(words);
      this.status = status;
      this.more = more;
    }
  }

  async function ask(path, options) {
    const answer = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    let words = text;
    let more = {};
    try {
      more = JSON.parse(text);
      words = more.error;
    } catch {
      // the access middleware answers in plain text
    }
    throw new Refused(answer.status, words || `the server answered ${answer.status}`, more);
  }

  const get = (path, params) => ask(`${path}?${new URLSearchParams(params ?? {})}`, { headers: { "x-ieat-reviewer": mine } });

  async function session() {
    const found = await get("/api/session");
    token = found.token;
    return found;
  }

  const send = (path, body) =>
    ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-ieat-token": token, "x-ieat-reviewer": mine },
      body: JSON.stringify(body),
    });

  async function post(path, body) {
    const named = { id: newId(), ...body };
    try {
      return await send(path, named);
    } catch (error) {
      if (error.status !== undefined && (error.status !== 403 || error.more.name)) throw error;
      await session(); // no answer, or the server was restarted and has another token
      return send(path, named);
    }
  }

  /** 32 hex digits. Not crypto.randomUUID: a page opened over a network without TLS does not have it. */
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  }

  const audioUrl = (item, i) => `/audio?${new URLSearchParams({ of: item.of, item: item.item, clip: i, v: item.seen })}`;

  /** Take a name for this browser, or take it up again. Throws if another browser has it. */
  async function claim(reviewer, given) {
    await post("/api/claim", { reviewer, token: given });
    mine = given;
  }

  return { get, post, session, claim, newId, audioUrl };
})();

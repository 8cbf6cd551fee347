// The page's requests to its server. `Api.get` and `Api.post` return JSON, or throw an Error with `status` and the
// server's message. A request without an answer is repeated with the same id: the server saves it once.
"use strict";

const Api = (() => {
  let token = "";

  class Refused extends Error {
    constructor(status, words) {
      super(words);
      this.status = status;
    }
  }

  async function ask(path, options) {
    const answer = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    let words = text;
    try {
      words = JSON.parse(text).error;
    } catch {
      // the access middleware answers in plain text
    }
    throw new Refused(answer.status, words || `the server answered ${answer.status}`);
  }

  const get = (path, params) => ask(`${path}?${new URLSearchParams(params ?? {})}`);

  async function session() {
    const found = await get("/api/session");
    token = found.token;
    return found;
  }

  const send = (path, body) =>
    ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-review-token": token },
      body: JSON.stringify(body),
    });

  async function post(path, body) {
    const named = { id: newId(), ...body };
    try {
      return await send(path, named);
    } catch (error) {
      if (error.status !== undefined && error.status !== 403) throw error;
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

  return { get, post, session, audioUrl };
})();

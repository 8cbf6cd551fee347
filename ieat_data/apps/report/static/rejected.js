// A rejected row: the reason, the message, the payload, and the corpus rows behind it.
"use strict";

(() => {
  const { el, corpus, fact, code } = IEAT;
  const TOLD = new Set(["turns", "question", "given", "parts", "id", "status", "source", "key", "language", "parent", "task"]);

  /** Bytes that a reader could not decode, decoded as far as possible. */
  const decoded = (hex) => new TextDecoder().decode(Uint8Array.from(hex.match(/../g) ?? [], (x) => Number.parseInt(x, 16)));

  /** A payload of any shape as readable text. */
  function shown(value, language) {
    if (value === null || value === undefined || value === "") return el("span", { class: "quiet" }, "nothing");
    const bytes = typeof value === "string" && /^\d+ bytes: ((?:[0-9a-f]{2})*)[0-9a-f]?…?$/.exec(value);
    if (bytes) return [corpus("span", "", decoded(bytes[1])), el("code", { class: "corpus quiet bytes" }, value)];
    if (typeof value !== "object") return corpus("span", "", value, language);
    if (Array.isArray(value)) return el("ol", { class: "plain" }, value.map((v) => el("li", null, shown(v, language))));
    return el("dl", { class: "facts" }, Object.entries(value).map(([k, v]) => fact(k.replaceAll("_", " "), shown(v, language))));
  }

  /** The payload of a stage that requests think blocks: turns, a question, what was given of the thought, the answer. */
  function conversation(p, language) {
    const turn = ([text, felt]) =>
      el(
        "li",
        { class: "message user" },
        el("div", { class: "message-head" }, el("span", { class: "message-role" }, "user"), felt ? IEAT.emotion({ label: felt }) : null),
        el("div", { class: "message-body" }, corpus("p", "message-text", text, language)),
      );
    const [own = "", ...answers] = Array.isArray(p.parts) ? p.parts.map(String) : [];
    let end = 0;
    const written = [...(Array.isArray(p.given) ? p.given : []), ["model", own]].filter(([, text]) => text);
    const spans = written.map(([origin, text]) => ({ origin, start: end, end: (end += Array.from(text).length) }));
    const thought = written.map(([, text]) => text).join("");
    const answer = answers.join("\n").trim();
    return el(
      "ol",
      { class: "conversation" },
      p.turns.filter(Array.isArray).map(turn),
      p.question ? turn([p.question, null]) : null,
      el(
        "li",
        { class: "message assistant" },
        el("div", { class: "message-head" }, el("span", { class: "message-role" }, "assistant"), "rejected"),
        thought ? IEAT.think(thought, spans, language) : null,
        answer ? el("div", { class: "message-body" }, corpus("p", "message-text", answer, language)) : null,
      ),
    );
  }

  function origin(o, i, language) {
    const clip = o.url ? IEAT.player(o.url, [{ kind: o.origin ?? "clip", start_s: 0, end_s: o.duration_s ?? 0 }], `clip ${i + 1} of the source`) : null;
    return el(
      "div",
      { class: "origin" },
      clip,
      el("dl", { class: "facts" }, fact("source", o.source), fact("row", code(o.key)), fact("origin", o.origin), fact("speaker", o.speaker), fact("corpus text", o.reference || o.text ? corpus("span", "", o.reference || o.text, language) : null), fact("utterance", code(o.utterance))),
    );
  }

  IEAT.renderRejected = (row) => {
    const p = row.payload;
    const structured = p && typeof p === "object" && !Array.isArray(p);
    const language = row.row?.language ?? (structured ? p.language : null) ?? row.origins[0]?.language;
    const talk = structured && Array.isArray(p.turns) && Array.isArray(p.parts) ? conversation(p, language) : null;
    const rest = structured ? Object.fromEntries(Object.entries(p).filter(([k]) => !(talk ? TOLD : new Set(["id", "status", "source", "key", "language"])).has(k))) : p;
    const alone = structured && Object.keys(rest).join() === "payload" ? rest.payload : rest;
    const empty = structured && !Object.keys(rest).length;
    const key = (structured && p.key) || row.row?.key;
    return el(
      "article",
      { class: "sample rejected", dataset: { id: row.id } },
      row.says ? el("p", { class: "says" }, row.says) : null,
      row.message ? corpus("p", "verdict", row.message, language) : null,
      talk,
      empty ? null : el("div", { class: "payload" }, el("h3", null, "Payload"), shown(alone, language)),
      el(
        "details",
        { class: "provenance", open: true },
        el("summary", null, "Where it comes from"),
        el("dl", { class: "facts" }, fact("row", code(row.id)), fact("shard", code(row.shard)), row.origins.length ? [] : [...fact("source", (structured && p.source) || row.row?.source), ...fact("source row", code(key))]),
        el("div", { class: "origins" }, row.origins.map((o, i) => origin(o, i, o.language ?? language))),
      ),
    );
  };
})();

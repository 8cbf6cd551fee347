// A sample as a conversation, for the report and for reviews. A classic script: modules do not load from file://.
//
//   renderSample(sample, {audioUrl}) → <article>
//
// `sample` is a row of schema.SAMPLES as JSON, with an address in place of a clip's bytes: audios[i].url, or null if
// the page has no clip. `audioUrl(audio, i)` may give the address instead. A clip is loaded only when it is played.
// Texts come from corpora and models: they enter the page only as text nodes.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const ICONS = { play: "M4 2.5v11l9.5-5.5z", pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z" };
  const HEARD = { speech: "spoke", question: "asked", text: "wrote", reply: "replied" };

  /** An element. `props`: attributes, `class`, `dataset`, and `on…` listeners; children are nodes or text. */
  function el(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key.startsWith("on")) {
        if (typeof value !== "function") throw new TypeError(`${key} takes a function`);
        node.addEventListener(key.slice(2), value);
      } else if (key === "dataset") Object.assign(node.dataset, value);
      else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== ""));
    return node;
  }

  /** Text of a corpus or a model, with its language, from which the browser chooses glyphs and direction. */
  function corpus(tag, className, text, language) {
    const lang = /^[a-z]{2,3}$/.test(language ?? "") ? language : null;
    return el(tag, { class: `corpus ${className}`.trim(), dir: "auto", lang }, String(text ?? ""));
  }

  function emotion(felt) {
    const score = typeof felt.score === "number" ? ` ${felt.score.toFixed(2)}` : "";
    return el("span", { class: "emotion", dataset: { emotion: felt.label }, title: felt.source }, `${felt.label}${score}`);
  }

  /** A think block; `spans` [{start, end, origin}] count characters (code points, as Python does). */
  function think(text, spans, language) {
    const points = Array.from(text);
    const key = (name, words) => el("span", { class: `think-key ${name}` }, words);
    const part = (name, words, from, to) => [
      el("span", { class: "visually-hidden" }, `${words}: `),
      corpus("span", `think-${name}`, points.slice(from, to).join(""), language),
    ];
    return el(
      "div",
      { class: "think" },
      el("div", { class: "think-head", "aria-hidden": "true" }, key("injected", "injected"), key("continued", "the model’s own")),
      el("p", { class: "think-text" }, (spans ?? []).map((s) => (s.origin === "injected" ? part("injected", "injected", s.start, s.end) : part("continued", "the model's own", s.start, s.end)))),
    );
  }

  function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(SVG, "path"));
    svg.firstChild.setAttribute("d", ICONS[name]);
    return svg;
  }

  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
  };

  let playing = null; // only one clip plays at a time

  /** A clip and its parts. `spans`: of this clip; `url`: null if there is none. */
  function player(url, spans, name, felt) {
    const total = Math.max(0, ...spans.map((s) => s.end_s));
    const audio = el("audio", { preload: "none", src: url });
    const button = el("button", { class: "player-play", type: "button", disabled: !url, "aria-label": `Play ${name}` }, icon("play"));
    const seek = el("input", {
      class: "player-seek", type: "range", min: 0, max: total || 1, step: 0.01, value: 0, disabled: !url, "aria-label": `Position in ${name}`,
    });
    const time = el("span", { class: "player-time" });
    const said = spans.map((s) => `${s.kind} ${(s.end_s - s.start_s).toFixed(1)} s`).join(" + ");
    const parts = el("span", { class: "player-parts", role: "status" }, url ? said : `${said || "clip"} (the clip is not in this page)`);
    const bars = spans.map((s) => {
      const bar = el("span", { class: `player-span ${["utterance", "gap", "question"].includes(s.kind) ? s.kind : ""}` });
      bar.style.flexGrow = String(Math.max(0, s.end_s - s.start_s));
      return bar;
    });
    const line = el("div", { class: "player-line" }, el("div", { class: "player-spans", "aria-hidden": "true" }, bars), seek);
    const box = el("div", { class: "player", dataset: felt ? { emotion: felt.label } : {} }, button, line, time, parts, audio);

    const show = () => {
      const length = Number.isFinite(audio.duration) ? audio.duration : total;
      seek.max = String(length || 1);
      seek.value = String(audio.currentTime);
      seek.setAttribute("aria-valuetext", `${audio.currentTime.toFixed(1)} of ${length.toFixed(1)} seconds`);
      time.textContent = `${clock(audio.currentTime)} / ${clock(length)}`;
    };
    const turned = () => {
      button.replaceChildren(icon(audio.paused ? "play" : "pause"));
      button.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${name}`);
    };
    const frame = () => {
      show();
      if (!audio.paused && box.isConnected) requestAnimationFrame(frame);
      else if (!box.isConnected) audio.pause();
    };
    button.addEventListener("click", () => (audio.paused ? audio.play().catch(() => {}) : audio.pause()));
    seek.addEventListener("input", () => {
      audio.currentTime = Number(seek.value);
      show();
    });
    audio.addEventListener("play", () => {
      if (playing && playing !== audio) playing.pause();
      playing = audio;
      turned();
      requestAnimationFrame(frame);
    });
    for (const event of ["pause", "ended"]) audio.addEventListener(event, turned);
    for (const event of ["loadedmetadata", "seeked", "ended"]) audio.addEventListener(event, show);
    audio.addEventListener("error", () => {
      box.classList.add("failed");
      parts.textContent = "this clip could not be played";
    });
    show();
    return box;
  }

  function message(sample, m, i, urls) {
    const felt = m.emotion && m.emotion.label ? m.emotion : null;
    const heard = m.audio !== null && m.audio !== undefined;
    const clip = heard
      ? player(urls[m.audio] ?? null, (sample.spans ?? []).filter((s) => s.audio === m.audio), `clip ${m.audio + 1}, ${m.role}`, felt)
      : null;
    const text = m.content || m.transcript;
    const tokens = m.speech_tokens?.length
      ? el("p", { class: "quiet corpus" }, `${m.speech_tokens.length} speech tokens: ${m.speech_tokens.slice(0, 24).join(" ")} …`)
      : null;
    return el(
      "li",
      { class: `message ${m.role === "assistant" ? "assistant" : "user"}` },
      el(
        "div",
        { class: "message-head" },
        el("span", { class: "message-role" }, m.role),
        el("span", null, HEARD[m.kind] ?? m.kind),
        felt ? emotion(felt) : null,
        m.train ? el("span", { class: "message-loss" }, "carries the loss") : null,
      ),
      m.think ? think(m.think, m.think_spans, sample.language) : null,
      el(
        "div",
        { class: "message-body" },
        clip,
        text ? corpus("p", "message-text", text, sample.language) : null,
        tokens,
      ),
    );
  }

  const fact = (name, value) => (value === null || value === undefined || value === "" ? [] : [el("dt", null, name), el("dd", null, value)]);
  const code = (text) => (text === null || text === undefined ? null : el("code", { class: "corpus" }, String(text)));

  function origin(u, language) {
    const heard = typeof u.error_rate === "number" ? `${u.metric} ${u.error_rate.toFixed(2)} against the corpus` : null;
    return el(
      "dl",
      { class: "facts origin" },
      fact("source", u.source),
      fact("row", code(u.key)),
      fact("origin", [u.origin, heard].filter(Boolean).join(", ")),
      fact("corpus text", u.corpus_text ? corpus("span", "", u.corpus_text, language) : null),
      fact("shard", code(u.shard)),
      fact("utterance", code(u.utterance)),
    );
  }

  /** The corpus rows behind a sample. */
  function provenance(sample) {
    const from = sample.provenance ?? {};
    const asked = sample.instruction;
    const question = asked ? [corpus("span", "", asked.text, sample.language), ` (${asked.id}, ${asked.placement}, ${asked.speaker})`] : null;
    return el(
      "details",
      { class: "provenance", open: true },
      el("summary", null, "Where it comes from"),
      el("dl", { class: "facts" }, fact("sample", code(sample.id)), fact("question", question), fact("attempts", from.attempts), fact("seed", from.seed), fact("parent", code(from.parent))),
      el("div", { class: "origins" }, (from.utterances ?? []).map((u) => origin(u, sample.language))),
    );
  }

  function renderSample(sample, options) {
    const urls = (sample.audios ?? []).map((a, i) => (options?.audioUrl ? options.audioUrl(a, i) : a.url) ?? null);
    return el(
      "article",
      { class: "sample", dataset: { id: sample.id } },
      el("ol", { class: "conversation" }, (sample.messages ?? []).map((m, i) => message(sample, m, i, urls))),
      provenance(sample),
    );
  }

  window.IEAT = Object.assign(window.IEAT ?? {}, { el, corpus, emotion, think, player, fact, code });
  window.renderSample = renderSample;
})();

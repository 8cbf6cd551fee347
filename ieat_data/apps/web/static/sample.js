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

  /**
   * Text of a corpus or a model, with its language, from which the browser chooses glyphs and direction. `marks`
   * [[start, end]] are runs of characters (code points) to point to.
   */
  function corpus(tag, className, text, language, marks) {
    const lang = /^[a-z]{2,3}$/.test(language ?? "") ? language : null;
    return el(tag, { class: `corpus ${className}`.trim(), dir: "auto", lang }, marks?.length ? marked(String(text ?? ""), marks) : String(text ?? ""));
  }

  function marked(text, marks) {
    const points = Array.from(text);
    const cut = (from, to) => points.slice(from, to).join("");
    const ends = [0, ...marks.map(([, end]) => end)];
    return [...marks.map(([start, end], i) => [cut(ends[i], start), el("mark", { class: "offending" }, cut(start, end))]), cut(ends.at(-1))];
  }

  function emotion(felt) {
    const score = typeof felt.score === "number" ? ` ${felt.score.toFixed(2)}` : "";
    return el("span", { class: "emotion", dataset: { emotion: felt.label }, title: felt.source }, `${felt.label}${score}`);
  }

  /** A think block; `spans` [{start, end, origin, marks}] count characters (code points, as Python does). */
  function think(text, spans, language) {
    const points = Array.from(text);
    const key = (name, words) => el("span", { class: `think-key ${name}` }, words);
    const part = (name, words, s) => [
      el("span", { class: "visually-hidden" }, `${words}: `),
      corpus("span", `think-${name}`, points.slice(s.start, s.end).join(""), language, s.marks),
    ];
    return el(
      "div",
      { class: "think" },
      el("div", { class: "think-head", "aria-hidden": "true" }, key("injected", "injected"), key("continued", "the model’s own")),
      el("p", { class: "think-text" }, (spans ?? []).map((s) => (s.origin === "injected" ? part("injected", "injected", s) : part("continued", "the model's own", s)))),
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

  let playing = null; // the clip that plays, or played last: only one plays at a time
  const SPEEDS = [1, 1.25, 1.5, 2, 0.5, 0.75]; // in the order of the button
  const SLOWEST_FIRST = [...SPEEDS].sort((a, b) => a - b);
  const STEP_S = 2;
  let speed = 1;

  function setSpeed(to) {
    speed = to;
    for (const audio of document.querySelectorAll(".player audio")) audio.playbackRate = speed;
    for (const button of document.querySelectorAll(".player-speed")) nameSpeed(button);
  }
  function nameSpeed(button) {
    button.textContent = `${speed}×`;
    button.setAttribute("aria-label", `Speed ${speed}×`);
  }

  const toggle = (audio) => (audio.paused ? audio.play().catch(() => {}) : audio.pause());
  function step(audio, by) {
    if (audio.preload === "none") audio.preload = "auto"; // a place in a clip that was never played can be sought
    const seek = audio.closest(".player").querySelector(".player-seek");
    seek.value = String(Number(seek.value) + by);
    seek.dispatchEvent(new Event("input"));
  }

  /**
   * Do what a key means for the clips inside `root`, and tell whether it means something. Space plays the clip that
   * played last, or the first one; the arrows move in it; < and > change the speed.
   */
  function clipKey(e, root) {
    const named = { " ": "play", ArrowLeft: -STEP_S, ArrowRight: STEP_S, "<": "slower", ">": "faster" }[e.key];
    if (named === undefined || e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return false;
    if (e.target.closest("input:not([type=range]), select, textarea, dialog")) return false;
    if (named === "play" && e.target.closest("button, summary")) return false; // the browser presses them
    const audio = root.contains(playing) ? playing : root.querySelector(".player audio[src]");
    if (!audio) return false;
    if (named === "play") toggle(audio);
    else if (typeof named === "number") step(audio, named);
    else setSpeed(SLOWEST_FIRST[SLOWEST_FIRST.indexOf(speed) + (named === "faster" ? 1 : -1)] ?? speed);
    e.preventDefault();
    return true;
  }

  /** A part of a clip by name and length: pressed, it plays from there. */
  function partButton(s, audio) {
    const button = el("button", { type: "button", class: `player-part ${partKind(s)}` }, `${s.kind} `, el("span", null, `${(s.end_s - s.start_s).toFixed(1)} s`));
    button.addEventListener("click", () => {
      audio.currentTime = s.start_s;
      audio.play().catch(() => {});
    });
    return button;
  }
  const partKind = (s) => (["utterance", "gap", "question"].includes(s.kind) ? s.kind : "");

  /** A clip and its parts. `spans`: of this clip; `url`: null if there is none. */
  function player(url, spans, name, felt) {
    const total = Math.max(0, ...spans.map((s) => s.end_s));
    const audio = el("audio", { preload: "none", src: url });
    const button = el("button", { class: "player-play", type: "button", disabled: !url, "aria-label": `Play ${name}` }, icon("play"));
    const seek = el("input", {
      class: "player-seek", type: "range", min: 0, max: total || 1, step: 0.01, value: 0, disabled: !url, "aria-label": `Position in ${name}`,
    });
    const time = el("span", { class: "player-time" });
    const faster = url ? el("button", { class: "player-speed", type: "button", title: "Playback speed (< and >)", onclick: () => setSpeed(SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length]) }) : null;
    if (faster) nameSpeed(faster);
    const said = spans.map((s) => `${s.kind} ${(s.end_s - s.start_s).toFixed(1)} s`).join(" + ");
    const note = el("span", { class: "player-note", role: "status" }, url ? "" : `${said || "clip"} (the clip is not in this page)`);
    const parts = el("div", { class: "player-parts" }, url ? spans.map((s) => partButton(s, audio)) : null, note);
    const bars = spans.map((s) => {
      const bar = el("span", { class: `player-span ${partKind(s)}` });
      bar.style.flexGrow = String(Math.max(0, s.end_s - s.start_s));
      return bar;
    });
    const line = el("div", { class: "player-line" }, el("div", { class: "player-spans", "aria-hidden": "true" }, bars), seek);
    const box = el("div", { class: "player", dataset: felt ? { emotion: felt.label } : {} }, button, line, el("div", { class: "player-side" }, time, faster), parts, audio);
    if (url && IEAT.scope) {
      const colours = () => bars.map((bar) => getComputedStyle(bar).backgroundColor);
      const drawn = (there) => {
        box.classList.toggle("drawn", there);
        if (!there && !audio.error) note.textContent = "no picture: this clip cannot be decoded here";
      };
      seek.before(IEAT.scope(url, spans, name, colours, drawn));
    }

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
    button.addEventListener("click", () => toggle(audio));
    seek.addEventListener("input", () => {
      playing ??= audio;
      audio.currentTime = Number(seek.value);
      show();
    });
    seek.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S }[e.key];
      if (!by || e.altKey || e.ctrlKey || e.metaKey) return;
      e.preventDefault(); // a hundredth of a second, the browser's own step, leads nowhere
      e.stopPropagation();
      step(audio, by);
    });
    audio.addEventListener("play", () => {
      if (playing && playing !== audio) playing.pause();
      playing = audio;
      audio.playbackRate = speed;
      turned();
      requestAnimationFrame(frame);
    });
    for (const event of ["pause", "ended"]) audio.addEventListener(event, turned);
    for (const event of ["loadedmetadata", "seeked", "ended"]) audio.addEventListener(event, show);
    audio.addEventListener("error", () => {
      box.classList.add("failed");
      note.textContent = "this clip could not be played";
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

  window.IEAT = Object.assign(window.IEAT ?? {}, { el, corpus, emotion, think, player, clipKey, fact, code });
  window.renderSample = renderSample;
})();

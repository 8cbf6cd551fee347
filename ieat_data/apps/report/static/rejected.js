// A rejected row: why (the limit it missed, what was heard against its text, the offending words), and where it is from.
"use strict";

(() => {
  const { el, corpus, fact, code } = IEAT;
  const TOLD = new Set(["turns", "question", "given", "parts", "id", "status", "source", "key", "language", "parent", "task"]);
  const count = d3.format(",");

  /** Is a reason no sign of trouble: rows that the pipeline did not want, such as duplicates? Without a stage: in all. */
  IEAT.unwanted = ({ stage, reason }) => {
    const stages = IEAT.said.funnel.filter((s) => (stage ? s.stage === stage : s.rejects[reason]));
    return stages.length > 0 && stages.every((s) => s.expected.includes(reason));
  };

  /** Bytes that a reader could not decode, decoded as far as possible. */
  const decoded = (hex) => new TextDecoder().decode(Uint8Array.from(hex.match(/../g) ?? [], (x) => Number.parseInt(x, 16)));

  /** A payload of any shape as readable text. `marks`: of its fields. */
  function shown(value, language, marks) {
    if (value === null || value === undefined || value === "") return el("span", { class: "quiet" }, "nothing");
    const bytes = typeof value === "string" && /^\d+ bytes: ((?:[0-9a-f]{2})*)[0-9a-f]?…?$/.exec(value);
    if (bytes) return [corpus("span", "", decoded(bytes[1])), el("code", { class: "corpus quiet bytes" }, value)];
    if (typeof value !== "object") return corpus("span", "", value, language, marks);
    if (Array.isArray(value)) return el("ol", { class: "plain" }, value.map((v) => el("li", null, shown(v, language))));
    return el("dl", { class: "facts" }, Object.entries(value).map(([k, v]) => fact(k.replaceAll("_", " "), shown(v, language, marks?.[k]))));
  }

  /** The payload of a stage that requests answers: turns, a question, what was given of the thought, the answer. */
  function conversation(p, language, marks, clips) {
    const turn = ([text, felt], clip) =>
      el(
        "li",
        { class: "message user" },
        el("div", { class: "message-head" }, el("span", { class: "message-role" }, "user"), felt ? IEAT.emotion({ label: felt }) : null),
        el("div", { class: "message-body" }, clip, corpus("p", "message-text", text, language)),
      );
    const [own = "", ...answers] = Array.isArray(p.parts) ? p.parts.map(String) : [];
    let end = 0;
    const written = [...(Array.isArray(p.given) ? p.given : []), ["model", own]].filter(([, text]) => text);
    const spans = written.map(([origin, text]) => ({ origin, start: end, end: (end += Array.from(text).length) }));
    if (own) spans.at(-1).marks = marks.thought;
    const thought = written.map(([, text]) => text).join("");
    const answer = answers.join("\n").trim();
    const turns = p.turns.filter(Array.isArray);
    return el(
      "ol",
      { class: "conversation" },
      turns.map((t, i) => turn(t, clips.length === turns.length ? clips[i] : null)),
      p.question ? turn([p.question, null]) : null,
      el(
        "li",
        { class: "message assistant" },
        el("div", { class: "message-head" }, el("span", { class: "message-role" }, "assistant"), "rejected"),
        thought ? IEAT.think(thought, spans, language) : null,
        answer ? el("div", { class: "message-body" }, corpus("p", "message-text", answer, language, marks.answer)) : null,
      ),
    );
  }

  /** A reply of stage 1-1 has the same parts, without a thought. */
  const asConversation = (p) => (typeof p.text === "string" && Array.isArray(p.answer) ? { turns: [[p.text, null]], parts: ["", ...p.answer] } : p);

  /** What was heard against the text, in the units of the error rate. */
  function compared(said, named) {
    const lost = (tag) => said.parts.map(([done, text]) => piece(done, text, tag, "delete"));
    const piece = (done, text, tag, alone) => (done === "equal" ? [text, gap] : done === "replace" || done === alone ? [el(tag, null, text), gap] : null);
    const gap = said.language === "en" ? " " : null;
    const got = (tag) => said.parts.map(([done, , text]) => piece(done, text, tag, "insert"));
    const unit = said.language === "en" ? "word" : "character";
    const edits = said.replace + said.delete + said.insert;
    const rate = said.units ? edits / said.units : Number(edits > 0);
    const each = [[said.replace, "replaced"], [said.delete, "missing"], [said.insert, "added"]].filter(([n]) => n).map(([n, what]) => `${n} ${what}`);
    return el(
      "section",
      { class: "heard", "aria-label": "Text and transcript" },
      el("p", null, named ? null : [el("strong", null, `${said.metric} ${rate.toFixed(2)}`), ": "], el("span", { class: "quiet" }, `${each.length ? each.join(", ") : "no difference"} of ${said.units} ${unit}${said.units === 1 ? "" : "s"}`)),
      el(
        "dl",
        { class: "heard-pair" },
        el("dt", null, "Text"), el("dd", { class: "corpus", lang: said.language }, lost("del")),
        el("dt", null, "Heard"), el("dd", { class: "corpus", lang: said.language }, got("ins")),
      ),
      el("p", { class: "quiet heard-note" }, `Compared by ${unit}, without punctuation, numbers written one way.`),
    );
  }

  /** The numbers of the page, of this limit: how many of the rows that missed it another one would let pass. */
  function whatIf(missed) {
    const of = IEAT.said.limits?.find((x) => ["stage", "reason", "setting"].every((k) => x[k] === missed[k]));
    const least = missed.setting.split(".").at(-1).startsWith("min");
    const [name, as, digits] = IEAT.measure(missed.measure, missed);
    const rounded = (x) => (least ? Math.floor : Math.ceil)(+(x * 10 ** digits).toFixed(6)) / 10 ** digits; // so that x passes
    const line = el(
      "p",
      null,
      el("strong", null, `${name} ${as(missed.value)}`),
      `, ${least ? "below" : "above"} the limit of `,
      el("strong", null, as(missed.limit)),
      el("span", { class: "quiet" }, " (", code(missed.setting), ` of ${missed.stage})`),
    );
    const values = of?.values ?? [];
    const total = d3.sum(values, ([, n]) => n);
    if (!total) return el("section", { class: "limit", "aria-label": "The limit" }, line);
    const steps = [...new Set(values.map(([x]) => rounded(x)))];
    const passes = (at) => d3.sum(values, ([x, n]) => ((least ? x >= at : x <= at) ? n : 0));
    const range = el("input", { type: "range", class: "limit-range", min: 0, max: steps.length - 1, step: 1, value: Math.max(0, steps.indexOf(rounded(missed.value))), "aria-label": `Another ${missed.setting}` });
    const told = el("output", { class: "limit-told" });
    const [first, last] = [steps[0], steps.at(-1)];
    const bins = Math.min(40, steps.length);
    const heights = Array(bins).fill(0);
    const bin = (x) => Math.min(bins - 1, Math.floor((bins * Math.abs(x - first)) / (Math.abs(last - first) || 1)));
    for (const [x, n] of values) heights[bin(rounded(x))] += n;
    const bars = heights.map((n) => {
      const bar = el("span", null);
      bar.style.height = `${n ? 12 + (88 * n) / d3.max(heights) : 0}%`;
      return bar;
    });
    const show = () => {
      const at = steps[Number(range.value)];
      const n = passes(at);
      range.setAttribute("aria-valuetext", as(at));
      const more = total === 1 ? "this row, the only one, would pass this check." : [el("strong", null, count(n)), ` more of ${count(total)} would pass this check.`];
      told.replaceChildren(...["With this limit at ", el("strong", null, as(at)), ", ", more].flat());
      bars.forEach((bar, i) => bar.classList.toggle("passes", i <= bin(at)));
    };
    range.addEventListener("input", show);
    show();
    return el(
      "section",
      { class: "limit", "aria-label": "The limit" },
      line,
      steps.length > 1 ? el("div", { class: "limit-chart" }, bins > 2 ? el("div", { class: "limit-bars", "aria-hidden": "true" }, bars) : null, range, el("div", { class: "limit-ends quiet", "aria-hidden": "true" }, el("span", null, as(first)), el("span", null, as(last)))) : null,
      told,
    );
  }

  const player = (o, i, n) => (o.url ? IEAT.player(o.url, [{ kind: o.origin ?? "clip", start_s: 0, end_s: o.duration_s ?? 0 }], n > 1 ? `clip ${i + 1} of the source` : "the clip") : null);

  const origin = (o, language) =>
    el("dl", { class: "facts origin" }, fact("source", o.source), fact("row", code(o.key)), fact("origin", o.origin), fact("speaker", o.speaker), fact("corpus text", o.reference || o.text ? corpus("span", "", o.reference || o.text, language) : null), fact("utterance", code(o.utterance)));

  IEAT.renderRejected = (row) => {
    const marks = row.marks ?? {};
    const structured = row.payload && typeof row.payload === "object" && !Array.isArray(row.payload);
    const p = structured ? asConversation(row.payload) : row.payload;
    const language = row.language ?? row.row?.language ?? (structured ? p.language : null) ?? row.origins[0]?.language;
    const clips = row.origins.map((o, i) => player(o, i, row.origins.length));
    const talk = structured && Array.isArray(p.turns) && Array.isArray(p.parts) ? conversation(p, language, marks, clips) : null;
    const placed = talk && talk.querySelector(".player");
    const measures = row.limit && structured && row.limit.measure in row.payload; // the numbers of a clip are no text of its
    const hidden = talk ? TOLD : new Set(["id", "status", "source", "key", "language", ...(row.compared ? ["reference", "asr_text", "text"] : [])]);
    const rest = structured ? Object.fromEntries(Object.entries(p).filter(([k, v]) => !hidden.has(k) && !(row.compared && v === null))) : p;
    const alone = structured && Object.keys(rest).join() === "payload";
    const empty = structured && !Object.keys(rest).length;
    const key = (structured && p.key) || row.row?.key;
    const said = row.message && !row.compared && !(row.limit && /^-?[\d.]+( s)?$/.test(row.message));
    return el(
      "article",
      { class: "sample rejected", dataset: { id: row.id } },
      row.says ? el("p", { class: "says" }, row.says) : null,
      IEAT.unwanted(row) ? el("p", { class: row.says ? "quiet" : "says" }, "Nothing is wrong with this row: the pipeline did not want it.") : null,
      said ? corpus("p", "verdict", row.message, language) : null,
      placed || !clips.some(Boolean) ? null : el("div", { class: "rejected-clips" }, clips),
      row.limit ? whatIf({ ...row.limit, metric: row.compared?.metric }) : null,
      row.compared ? compared(row.compared, row.limit?.measure === "error_rate") : null,
      talk,
      empty ? null : el("div", { class: "payload" }, el("h3", null, measures ? "Measured" : "Payload"), alone ? shown(rest.payload, language, marks.payload) : shown(rest, language, marks)),
      el(
        "details",
        { class: "provenance", open: true },
        el("summary", null, "Where it comes from"),
        el("dl", { class: "facts" }, fact("row", code(row.id)), fact("shard", code(row.shard)), row.origins.length ? [] : [...fact("source", (structured && p.source) || row.row?.source), ...fact("source row", code(key))]),
        el("div", { class: "origins" }, row.origins.map((o) => origin(o, o.language ?? language))),
      ),
    );
  };
})();

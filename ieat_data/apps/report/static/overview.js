// The first view: what was built, from which sources, what was rejected and why, and what it cost.
"use strict";

(() => {
  const { el, corpus, charts } = IEAT;
  const count = d3.format(",");
  const percent = (x) => (x > 0 && x < 0.005 ? "<1%" : d3.format(".0%")(x));
  const LANGUAGES = { en: "English", zh: "Chinese" };
  const languageName = (IEAT.languageName = (x) => LANGUAGES[x] ?? x ?? "unknown");

  function long(seconds) {
    if (seconds < 120) return `${seconds.toFixed(0)} s`;
    return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${count(+(seconds / 3600).toFixed(1))} h`;
  }

  const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
  const link = (view, filters, ...text) => el("a", { href: `#${view}?${new URLSearchParams(filters)}` }, text);

  IEAT.section = section;
  function section(title, intro, ...content) {
    return el("section", { class: "part" }, el("div", { class: "part-head" }, el("h2", null, title), intro ? el("p", { class: "quiet" }, intro) : null), content.flat().filter(Boolean));
  }

  /** A table without its empty columns. */
  function table(allHeads, allRows, caption) {
    const said = allHeads.map((_, i) => allRows.some((r) => r[i] !== ""));
    const [heads, ...rows] = [allHeads, ...allRows].map((row) => row.filter((_, i) => said[i]));
    const cell = (value, i) => (i === 0 ? el("th", { scope: "row" }, value) : el("td", { "data-head": heads[i] }, value));
    return el(
      "div",
      { class: "table", tabindex: 0, role: "region", "aria-label": caption },
      el("table", null, el("caption", { class: "visually-hidden" }, caption), el("thead", null, el("tr", null, heads.map((h) => el("th", { scope: "col" }, h)))), el("tbody", null, rows.map((r) => el("tr", null, r.map(cell))))),
    );
  }

  /** Parts of a whole as one line; each part is labelled, so the line can be read without colours. */
  function split(counts, name = (x) => x) {
    const all = d3.sum(Object.values(counts));
    const parts = Object.entries(counts).map(([key, n], i) => {
      const bar = el("span", { class: "split-bar" });
      bar.style.flexGrow = String(n);
      bar.style.opacity = String(1 - i * 0.22);
      return bar;
    });
    const words = Object.entries(counts).map(([key, n], i) => `${count(n)} ${name(key, i)}`.replaceAll(" ", "\u00a0"));
    return all ? el("span", { class: "split" }, el("span", { class: "split-line", "aria-hidden": "true" }, parts), el("span", { class: "split-words" }, words.join(" · "))) : "";
  }

  /** How far a running build is: "being built · 34% · 12.0 min left". */
  function underWay(progress) {
    if (!progress) return "being built";
    return ["being built", percent(progress.share), progress.left_s ? `${long(progress.left_s)} left` : null].filter(Boolean).join(" · ");
  }

  function state(said) {
    if (!said.finished) return el("span", { class: "state" }, underWay(said.progress));
    return said.nothing ? el("span", { class: "state empty" }, "no sample") : el("span", { class: "state done" }, "finished");
  }

  function hero(said, rejected) {
    const languages = listed(Object.keys(said.counts.language).map(languageName));
    const figures = [
      ["samples", count(said.rows), `${Object.keys(said.configs).length} configs`],
      ["of audio", long(said.audio_s), `${count(said.clips)} clips`],
      ["speakers heard", count(said.speakers.known), languages],
      ["rows rejected", count(rejected), "each with its reason"],
    ];
    const notices = [
      ...Object.entries(said.grades ?? {}).map(([role, grade]) => `The ${role} engine is of ${grade} grade: do not train on its labels.`),
      said.nothing ? `No sample came out: ${said.nothing}.` : null,
      said.non_commercial ? "At least one source is for non-commercial use only." : null,
      said.recording ? `The engines’ answers come from the recording “${said.recording}”: no engine ran.` : null,
    ].filter(Boolean);
    return el(
      "header",
      { class: "hero" },
      el("p", { class: "overline" }, "IEAT dataset", state(said)),
      el("h1", null, said.name),
      el("p", { class: "lede" }, `Speech in, the user’s emotion written into the think block, and the model’s own reasoning and answer after it. From ${listed([...new Set(said.sources.map((s) => s.name))])}.`),
      el("dl", { class: "figures" }, figures.map(([name, n, note]) => el("div", null, el("dt", null, name), el("dd", null, n, el("small", null, note))))),
      notices.length ? el("ul", { class: "notices" }, notices.map((x) => el("li", null, x))) : null,
    );
  }

  function built(said) {
    const rows = Object.entries(said.configs).map(([name, c]) => [
      link("samples", { config: name }, name),
      count(c.rows),
      long(c.audio_s),
      split(c.language),
      split(c.n_turns, (n, i) => (i ? `of ${n}` : n === "1" ? "of 1 turn" : `of ${n} turns`)),
    ]);
    const used = said.dialogues?.pool
      ? el("p", { class: "quiet note" }, `${count(said.dialogues.used)} of ${count(said.dialogues.pool)} empathy samples drawn for dialogues are used (at most ${count(said.dialogues.possible)} are usable).`)
      : null;
    const nowhere = Object.entries(said.dialogues?.no_recording ?? {}).map(([source, n]) => `${count(n)} of ${source}`);
    const alone = nowhere.length
      ? el("p", { class: "quiet note" }, `Empathy samples whose corpus names no recording, so that they stay single: ${nowhere.join(", ")}.`)
      : null;
    return section("What was built", null, rows.length ? table(["config", "samples", "audio", "languages", "turns"], rows, "Configs") : el("p", { class: "quiet" }, said.finished ? "No sample came out." : "No sample is finished yet."), used, alone);
  }

  /** A reject code with its count, linked to the rows that `where` selects. */
  IEAT.reasonLink = (n, where) =>
    el("a", { class: IEAT.unwanted(where) ? "reason unwanted" : "reason", href: `#rejected?${new URLSearchParams(where)}` }, where.reason.replaceAll("_", " "), el("span", null, count(n)));

  function stage(s, most) {
    const lost = d3.sum(Object.values(s.rejects));
    const bar = (name, n) => {
      const part = el("span", { class: name });
      part.style.width = `${(100 * n) / most}%`;
      return part;
    };
    const expected = d3.sum(s.expected, (r) => s.rejects[r] ?? 0);
    const reasons = Object.entries(s.rejects).map(([reason, n]) => {
      const says = s.says?.[reason];
      const link = IEAT.reasonLink(n, { stage: s.stage, reason });
      return el("li", { class: says ? "told" : null }, link, says ? el("span", { class: "quiet" }, says) : null);
    });
    const progress = s.done < s.shards ? el("span", { class: "quiet" }, `${count(s.done)} of ${count(s.shards)} shards`) : null;
    return el(
      "li",
      { class: "stage" },
      el("div", { class: "stage-name" }, el("h3", null, s.stage), el("p", { class: "quiet" }, s.about)),
      el(
        "div",
        { class: "stage-flow" },
        el("div", { class: "stage-bar", "aria-hidden": "true" }, bar("went", s.ok), bar("lost", lost - expected), bar("left", expected)),
        el("p", { class: "stage-count" }, el("strong", null, count(s.ok)), s.rows_in === s.ok ? " rows" : ` of ${count(s.rows_in)} rows passed`, lost ? el("span", { class: "quiet" }, ` · ${percent(lost / s.rows_in)} rejected`) : null, progress ? " · " : null, progress),
        reasons.length ? el("ul", { class: "reasons", "aria-label": `Rejected by ${s.stage}` }, reasons) : null,
      ),
    );
  }

  function funnel(said) {
    const stages = said.funnel.filter((s) => s.rows_in || s.shards);
    const most = d3.max(stages, (s) => s.rows_in) || 1;
    const sources = said.funnel.flatMap((s) => (s.sources ?? []).map((x) => ({ ...x, stage: s.stage })));
    return section(
      "From sources to samples",
      "The stages in build order: rows that passed, rejected rows (red), rows that the pipeline did not want (grey). Click a reason to see its rows.",
      sources.length ? el("ul", { class: "sources" }, sources.map((x) => el("li", null, el("span", { class: "corpus" }, x.source), el("strong", null, count(x.rows_in)), el("span", { class: "quiet" }, ` rows read, ${count(x.ok)} usable`)))) : null,
      el("ol", { class: "funnel" }, stages.map((s) => stage(s, most))),
    );
  }

  function speakers(said) {
    const most = d3.max(said.speakers.top, (s) => s.seconds) || 1;
    const rows = said.speakers.top.map((s) => {
      const bar = el("span", { class: "rank-bar", "aria-hidden": "true" });
      bar.style.width = `${(100 * s.seconds) / most}%`;
      const cut = s.speaker.lastIndexOf("/") + 1;
      const name = el("span", { class: "rank-name", title: s.speaker }, corpus("span", "", s.speaker.slice(cut)), cut ? corpus("span", "quiet", s.speaker.slice(0, cut - 1)) : null);
      return el("li", null, name, el("span", { class: "rank-line" }, bar), el("span", { class: "rank-n" }, long(s.seconds)));
    });
    return el("figure", { class: "figure" }, el("figcaption", null, el("h3", null, "Who speaks"), el("p", { class: "quiet" }, `${count(said.speakers.known)} speakers; those with the most speech`)), el("ol", { class: "rank" }, rows));
  }

  const hours = (h) => (h === null || h === undefined ? "" : long(h * 3600));
  const work = (n, unit) => (n === null || n === undefined ? "" : unit === "audio_s" ? `${long(n)} of audio` : `${d3.format(".3~s")(n)} tokens`);
  const speed = (v, unit) => (v === null || v === undefined ? "" : unit === "audio_s" ? `${d3.format(".3~r")(v)}× real time` : `${d3.format(".3~r")(v)} tokens/s`);

  function effort(said) {
    const costs = Object.entries(said.cost).map(([role, c]) => [role, count(c.measured.requests), work(c.planned?.work, c.unit), work(c.measured.work, c.unit), hours(c.planned?.hours), hours(c.measured.hours), speed(c.planned?.per_s, c.unit), speed(c.measured.per_s, c.unit)]);
    const engines = said.engines.map((e) => [e.role, e.engine, e.models.join(", "), e.exact ? "yes" : "no", e.grade ?? ""]);
    return section(
      "How the work went",
      null,
      said.throughput.stages.length ? charts.throughput(said) : el("p", { class: "quiet" }, "The work folder is not here, so no times are known."),
      el("h3", { class: "sub" }, "Cost, planned and measured"),
      costs.length ? table(["engine", "requests", "work planned", "work done", "time planned", "time taken", "speed planned", "speed measured"], costs, "Cost beside plan") : el("p", { class: "quiet" }, said.recording ? "Answers rows_in from a recording: no engine was asked." : "No engine was asked."),
      el("h3", { class: "sub" }, "Engines"),
      table(["role", "engine", "models", "exact", "grade"], engines, "Engines"),
    );
  }

  const object = (x) => (x !== null && typeof x === "object" && !Array.isArray(x) ? x : {});
  const share = (x) => (typeof x === "number" ? d3.format(".3~f")(x) : "");

  /** How varied and balanced the configs are (`dataset/diversity.py`). */
  function diversity(said) {
    const configs = Object.entries(object(said.diversity));
    const texts = configs.flatMap(([config, d]) =>
      Object.entries(object(d?.texts)).flatMap(([kind, by]) => Object.entries(object(by)).map(([language, t]) => ({ config, kind, language, t: object(t) }))),
    );
    if (!configs.length) return null;
    const length = (l) => (typeof l.p50 === "number" ? `${l.p50} (${l.p05} to ${l.p95})` : "");
    const rows = texts.map(({ config, kind, language, t }) => [
      el("span", { class: "corpus" }, `${config} ${kind}`), languageName(language), typeof t.texts === "number" ? count(t.texts) : "",
      share(t.distinct_1), share(t.distinct_2), share(t.distinct_3), share(t.different_openings), length(object(t.length)),
    ]);
    const even = configs.map(([config, d]) => {
      const [e, s] = [object(d?.evenness), object(d?.speakers)];
      return [corpus("span", "", config), share(e.task), share(e.language), share(e.emotion), share(e.transition), typeof s.different === "number" ? count(s.different) : "", share(s.of_most_frequent)];
    });
    const openings = texts.filter(({ t }) => Object.keys(object(t.openings)).length).map(({ config, kind, language, t }) => {
      const ranked = Object.entries(t.openings).filter(([, n]) => typeof n === "number").slice(0, 5);
      const items = ranked.map(([opening, n]) => {
        const bar = el("span", { class: "rank-bar", "aria-hidden": "true" });
        bar.style.width = `${Math.min(100, (100 * n) / ranked[0][1])}%`;
        return el("li", null, corpus("span", "rank-name", opening, language), el("span", { class: "rank-line" }, bar), el("span", { class: "rank-n" }, d3.format(".1%")(n)));
      });
      return el("div", { class: "block" }, el("h4", null, `${config} ${kind}, ${languageName(language)}`), el("ol", { class: "rank openings" }, items));
    });
    return section(
      "Diversity and balance",
      "Of the training texts. Distinct: share of different n-grams among all n-grams; evenness: entropy of the counts, 1 if all are equal.",
      rows.length ? table(["texts", "language", "how many", "distinct 1", "distinct 2", "distinct 3", "different openings", "length: median (5 to 95 %)"], rows, "Diversity of texts") : null,
      el("h3", { class: "sub" }, "Evenness"),
      table(["config", "tasks", "languages", "emotions", "transitions", "speakers", "share of the most frequent"], even, "Evenness"),
      openings.length ? [el("h3", { class: "sub" }, "Most frequent openings"), el("div", { class: "blocks" }, openings)] : null,
    );
  }

  function terms(said) {
    const rows = said.sources.map((s) => [corpus("span", "", s.name), languageName(s.language), corpus("span", "", s.licence), corpus("span", "", s.terms), s.non_commercial ? "yes" : "no", corpus("span", "", s.said)]);
    const made = Object.entries(said.made_with ?? {}).map(([k, v]) => `${k} ${v}`).join(", ");
    return section(
      "Sources and terms",
      null,
      table(["source", "language", "licence", "terms", "non-commercial only", "what was read of it"], rows, "Sources"),
      el("dl", { class: "facts made" }, IEAT.fact("content digest", IEAT.code(said.content_digest)), IEAT.fact("profile", said.profile), IEAT.fact("made with", made)),
    );
  }

  IEAT.overview = (said) => {
    const rejected = d3.sum(said.funnel, (s) => d3.sum(Object.values(s.rejects)));
    const felt = Object.keys(said.counts.emotion).length
      ? section("Emotions", null, el("div", { class: "pair" }, charts.emotions(said), Object.keys(said.counts.transition).length ? charts.transitions(said) : null))
      : null;
    const heard = said.clips ? section("Speech", null, el("div", { class: "pair" }, charts.durations(said), speakers(said))) : null;
    return [hero(said, rejected), built(said), funnel(said), felt, heard, IEAT.checks.audio(said), IEAT.checks.screened(said), diversity(said), IEAT.checks.judged(said), effort(said), terms(said)].filter(Boolean);
  };
})();

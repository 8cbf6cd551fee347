// Who speaks; how the work went; the sources and their terms.
"use strict";

(() => {
  const { el, corpus, charts, count, fold, languageName, long, rank, section, table } = IEAT;
  const SPEAKERS = 8;

  const hours = (h) => (h === null || h === undefined ? "" : long(h * 3600));
  const work = (n, unit) => (n === null || n === undefined ? "" : unit === "audio_s" ? `${long(n)} of audio` : `${d3.format(".3~s")(n)} tokens`);
  const speed = (v, unit) => (v === null || v === undefined ? "" : unit === "audio_s" ? `${d3.format(".3~r")(v)}× real time` : `${d3.format(".3~r")(v)} tokens/s`);

  function speakers(said) {
    const most = d3.max(said.speakers.top, (s) => s.seconds) || 1;
    const rows = said.speakers.top.slice(0, SPEAKERS).map((s) => {
      const cut = s.speaker.lastIndexOf("/") + 1;
      const name = el("a", { class: "rank-name", title: s.speaker, href: IEAT.narrowed("samples", { q: `"${s.speaker.replaceAll('"', "")}"` }) }, corpus("span", "", s.speaker.slice(cut)));
      return [name, s.seconds / most, long(s.seconds)];
    });
    const note = `${count(said.speakers.known)} speakers; those with the most speech. Click one to see its samples.`;
    return el("figure", { class: "figure" }, el("figcaption", null, el("h3", null, "Who speaks"), el("p", { class: "quiet" }, note)), rank(rows));
  }

  function effort(said) {
    const costs = Object.entries(said.cost).map(([role, c]) => [role, count(c.measured.requests), work(c.planned?.work, c.unit), work(c.measured.work, c.unit), hours(c.planned?.hours), hours(c.measured.hours), speed(c.planned?.per_s, c.unit), speed(c.measured.per_s, c.unit)]);
    const engines = said.engines.map((e) => [e.role, e.engine, e.models.join(", "), e.exact ? "yes" : "no", e.grade ?? ""]);
    const heads = ["engine", "requests", "work planned", "work done", "time planned", "time taken", "speed planned", "speed measured"];
    const { throughput } = said;
    return section(
      "How the work went",
      said.throughput.stages.length ? null : "The work folder is not here, so no times are known.",
      costs.length ? table(heads, costs, "Cost beside plan") : el("p", { class: "quiet" }, said.recording ? "Answers came from a recording: no engine was asked." : "No engine was asked."),
      fold("Engines", said.engines.map((e) => e.engine).join(", "), table(["role", "engine", "models", "exact", "grade"], engines, "Engines")),
      throughput.stages.length ? fold("Timeline", `${count(throughput.stages.length)} stages in ${long(throughput.seconds)} of work`, charts.throughput(said)) : null,
    );
  }

  function sources(said) {
    const rows = said.sources.map((s) => [corpus("span", "", s.name), languageName(s.language), corpus("span", "", s.licence), corpus("span", "", s.terms), s.non_commercial ? "yes" : "no"]);
    const read = said.sources.map((s) => [corpus("span", "", s.name), corpus("span", "", s.said)]);
    const licences = [...new Set(said.sources.map((s) => s.licence))].join("; ");
    const made = Object.entries(said.made_with ?? {}).map(([k, v]) => `${k} ${v}`).join(", ");
    return section(
      "Sources and terms",
      null,
      fold("Licences", licences, table(["source", "language", "licence", "terms", "non-commercial only"], rows, "Sources")),
      read.some(([, s]) => s.textContent) ? fold("What was read of each source", null, table(["source", "what was read of it"], read, "What was read")) : null,
      el("dl", { class: "facts made" }, IEAT.fact("content digest", IEAT.code(said.content_digest)), IEAT.fact("profile", said.profile), IEAT.fact("made with", made)),
    );
  }

  Object.assign(IEAT, { speakers, effort, sources });
})();

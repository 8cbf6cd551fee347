// From sources to samples: the stages in build order, and what each of them rejected.
"use strict";

(() => {
  const { el, count, percent, fold, section } = IEAT;

  function flow(s, most) {
    const lost = d3.sum(Object.values(s.rejects));
    const expected = d3.sum(s.expected, (r) => s.rejects[r] ?? 0);
    const bar = (name, n) => {
      const part = el("span", { class: name });
      part.style.width = `${(100 * n) / most}%`;
      return part;
    };
    const progress = s.done < s.shards ? el("span", { class: "quiet" }, ` · ${count(s.done)} of ${count(s.shards)} shards`) : null;
    const words = s.rows_in === s.ok ? " rows" : ` of ${count(s.rows_in)} rows`;
    return [
      el("div", { class: "stage-bar", "aria-hidden": "true" }, bar("went", s.ok), bar("lost", lost - expected), bar("left", expected)),
      el("p", { class: "stage-count" }, el("strong", null, count(s.ok)), words, lost ? el("span", { class: "quiet" }, ` · ${percent(lost / s.rows_in)} rejected`) : null, progress),
    ];
  }

  function stage(s, most) {
    const reasons = Object.entries(s.rejects).map(([reason, n]) =>
      el("li", null, IEAT.reasonLink(n, { stage: s.stage, reason }, s.says?.[reason])));
    return el(
      "li",
      { class: "stage" },
      el("h3", { title: s.about }, s.stage),
      flow(s, most),
      reasons.length ? el("ul", { class: "reasons", "aria-label": `Rejected by ${s.stage}` }, reasons) : null,
    );
  }

  /** What each stage does, and what its reject codes stand for. */
  function explained(stages) {
    const entry = (s) => [
      el("dt", null, s.stage),
      el("dd", null, s.about, Object.keys(s.rejects).filter((r) => s.says?.[r]).map((r) => el("p", null, el("strong", null, `${IEAT.words(r)}: `), s.says[r]))),
    ];
    return el("dl", { class: "explained" }, stages.map((s) => el("div", null, entry(s))));
  }

  IEAT.funnel = (said) => {
    const stages = said.funnel.filter((s) => s.rows_in || s.shards);
    const most = d3.max(stages, (s) => s.rows_in) || 1;
    const whole = (s) => !Object.keys(s.rejects).length && s.done >= s.shards;
    const list = (some) => el("ol", { class: "funnel" }, some.map((s) => stage(s, most)));
    const [quiet, busy] = [stages.filter(whole), stages.filter((s) => !whole(s))];
    const sources = said.funnel.flatMap((s) => (s.sources ?? []).map((x) => ({ ...x, stage: s.stage })));
    const source = (x) => el("li", null, IEAT.linkTo("samples", { source: x.source }, el("span", { class: "corpus" }, x.source)), el("strong", null, count(x.rows_in)), el("span", { class: "quiet" }, ` rows read, ${count(x.ok)} usable`));
    return section(
      "From sources to samples",
      "The stages in build order: rows that passed, rejected rows (red), rows that the pipeline did not want (grey). Click a reason to see its rows.",
      sources.length ? el("ul", { class: "sources" }, sources.map(source)) : null,
      busy.length ? list(busy) : null,
      quiet.length ? fold(`${count(quiet.length)} stages rejected nothing`, quiet.map((s) => s.stage).join(", "), list(quiet)) : null,
      stages.length ? fold("What the stages do", "and what their reasons stand for", explained(stages)) : null,
    );
  };
})();

// The two lists: what they are narrowed by, and how a row is shown in the list and by itself.
"use strict";

(() => {
  const { el, facets, ranges, words, languageName } = IEAT;
  const { plain, felt, change } = facets;

  /** A reason code with its meaning, if that is the same in all stages. */
  function withLine(code) {
    const lines = new Set((IEAT.said?.funnel ?? []).filter((s) => s.rejects[code]).map((s) => s.says?.[code]));
    const [line] = lines.size === 1 ? lines : [];
    return line ? `${words(code)}: ${line}` : words(code);
  }

  const same = (x) => x ?? "unknown";
  const sounds = (x) => (x ? "with audio" : "without audio");
  const dot = (x) => el("span", { class: "emotion", dataset: { emotion: x } }, el("span", { class: "visually-hidden" }, x));

  // the number that the list is sorted by stands in each row
  const NUMBERS = { score: (v) => `score ${v.toFixed(2)}`, error_rate: (v) => `${+(100 * v).toFixed(1)} % wrong`, mos: (v) => `DNSMOS ${v.toFixed(2)}`, judge: (v) => `judge ${v.toFixed(1)}` };

  IEAT.kinds = {
    samples: {
      noun: "samples",
      ranges: ranges.SAMPLES,
      facets: [
        plain("task", "Task", words),
        plain("language", "Language", languageName),
        felt("emotion", "Emotion", words),
        change("change", "First → last", (x) => x.replace(">", " → ")),
        plain("turns", "Turns", IEAT.turns),
        plain("source", "Source", same),
        plain("config", "Config", same),
        plain("audio", "Audio", sounds),
      ],
      key: (list, i) => list.columns.id[i],
      title: (row) => [words(row.task), `${languageName(row.language)} · ${IEAT.turns(row.n_turns)} · ${row.config}`],
      render: (row) => renderSample(row),
      meta: (list, i, order) => {
        const number = NUMBERS[(order ?? "").replace(/^-/, "")];
        const value = number && list.value(order.replace(/^-/, ""), i);
        return [
          el("span", { class: "item-kind" }, words(list.value("task", i))),
          el("span", null, list.value("language", i)),
          el("span", { class: "dots" }, list.value("emotions", i).map(dot)),
          el("span", { class: "item-end" }, number ? (value === null ? "no number" : number(value)) : `${list.value("seconds", i).toFixed(1)} s`),
        ];
      },
    },
    rejected: {
      noun: "rejected rows",
      ranges: [],
      facets: [
        plain("stage", "Stage", same),
        plain("reason", "Reason", withLine),
        plain("language", "Language", languageName),
        plain("source", "Source", same),
        plain("audio", "Audio", sounds),
      ],
      // one id may be rejected in two stages that stand beside each other
      key: (list, i) => `${list.columns.id[i]}@${list.value("stage", i)}`,
      title: (row) => [words(row.reason), `rejected in ${row.stage}`],
      render: (row) => IEAT.renderRejected(row),
      meta: (list, i) => [el("span", { class: IEAT.unwanted({ stage: list.value("stage", i), reason: list.value("reason", i) }) ? "item-kind" : "item-kind bad" }, words(list.value("reason", i))), el("span", null, list.value("stage", i)), el("span", { class: "item-end" }, list.value("language", i) ?? "")],
    },
  };
})();

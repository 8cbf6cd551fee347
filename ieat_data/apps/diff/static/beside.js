// One sample of both builds, message beside message, with the changed words marked.
"use strict";

(() => {
  const { el, corpus } = IEAT;
  const SIDES = { a: "del", b: "ins" };
  const TEXTS = { text: ".message-text", think: ".think-text" };

  const label = (side) => el("span", { class: "side" }, side.toUpperCase());

  function marked(message, places, i, tag) {
    for (const [key, selector] of Object.entries(TEXTS)) {
      const text = places?.[key] && message.querySelector(selector);
      if (text) IEAT.mark(text, places[key][i], tag);
    }
  }

  /** Both samples: a row for each message, with A and B as its columns, or one below the other on a narrow page. */
  function both(row) {
    const articles = Object.fromEntries(Object.keys(SIDES).map((side) => [side, renderSample(row[side])]));
    const messages = Object.fromEntries(Object.entries(articles).map(([side, article]) => [side, [...article.querySelectorAll(".message")]]));
    const rows = Math.max(messages.a.length, messages.b.length);
    const cell = (side, k, i) => {
      const message = messages[side][k];
      if (!message) return el("div", { class: "cell" }, label(side), el("p", { class: "quiet" }, "no such turn"));
      marked(message, row.marks[k], i, SIDES[side]);
      return el("div", { class: "cell" }, label(side), el("ol", { class: "conversation" }, message));
    };
    const origin = (side) => el("div", { class: "cell" }, label(side), articles[side].querySelector(".provenance"));
    for (const details of Object.values(articles).flatMap((x) => [...x.querySelectorAll("details")])) details.open = false;
    return el(
      "div",
      { class: "beside" },
      Array.from({ length: rows }, (_, k) => Object.keys(SIDES).map((side, i) => cell(side, k, i))),
      Object.keys(SIDES).map(origin),
    );
  }

  function others(differs) {
    if (!differs.length) return null;
    const fact = (one) => el("li", null, el("h3", { class: "corpus" }, one.at), el("dl", { class: "facts" }, el("dt", null, "A"), corpus("dd", "", one.a), el("dt", null, "B"), corpus("dd", "", one.b)));
    return el("details", { class: "others", open: differs.length < 6 }, el("summary", null, `What else differs (${differs.length})`), el("ol", { class: "settings" }, differs.map(fact)));
  }

  /** A row of the list: a pair, or a sample that only one build has. */
  IEAT.beside = (row) => (row.a && row.b ? [both(row), others(row.differs)] : [renderSample(row.a ?? row.b)]);
})();

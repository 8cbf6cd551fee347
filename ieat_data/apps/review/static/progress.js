// The review's progress, who decided what, who agrees with whom; and the keys.
"use strict";

const Sheets = (() => {
  const { el } = window.IEAT;
  const percent = (x) => `${Math.round(100 * x)} %`;
  const KINDS = { accept: "Accepted", edit: "Edited", reject: "Rejected" };

  const close = (dialog) =>
    el("form", { method: "dialog", class: "sheet-close" }, el("button", { class: "button", type: "submit" }, "Close ", el("kbd", null, "Esc")));

  function table(head, rows) {
    return el(
      "div",
      { class: "scroll" },
      el("table", null, el("thead", null, el("tr", null, head.map((h) => el("th", { scope: "col" }, h)))), el("tbody", null, rows.map((r) => el("tr", null, r)))),
    );
  }

  const first = (...nodes) => el("th", { scope: "row" }, ...nodes);
  const cell = (text) => el("td", null, String(text));

  function shares(of, total) {
    const bar = el("span", { class: "shares", "aria-hidden": "true" });
    for (const kind of Object.keys(KINDS)) {
      const part = el("span", { class: kind });
      part.style.flexGrow = String(of[kind] ?? 0);
      bar.append(part);
    }
    const rest = el("span", null);
    rest.style.flexGrow = String(Math.max(0, total - of.decided));
    bar.append(rest);
    return bar;
  }

  function kappa(p) {
    if (p.kappa === null) return el("td", { title: "chance alone would always agree" }, "undefined");
    return cell(p.kappa.toFixed(2));
  }

  function progress(made, session) {
    const kinds = Object.keys(KINDS).filter((k) => k !== "edit" || session.kind === "instruction");
    const held = ["accepted", "edited", "rejected"].filter((k) => made.held[k]).map((k) => `${made.held[k]} ${k}`);
    const heard = session.kind === "sample" ? ["Heard"] : [];
    const rule = made.rule === "majority" ? "more than half must reject" : "one rejection rejects";
    return [
      el("h2", { tabindex: -1, autofocus: true }, `${made.decided} of ${made.items} decided`),
      el("p", { class: "quiet" }, [percent(made.share), held.join(", "), `${made.disagreed} disagreed`, `rule: ${rule}`].filter(Boolean).join(" · ")),
      made.reviewers.length
        ? table(["Reviewer", "Decided", ...kinds.map((k) => KINDS[k]), ...heard], made.reviewers.map((r) => [first(r.name, shares(r, made.items)), cell(r.decided), ...kinds.map((k) => cell(r[k] ?? 0)), ...heard.map(() => cell(r.listened))]))
        : el("p", null, "No decisions yet."),
      made.assigned.length
        ? [el("h3", null, "Assigned"), table(["To", "Items", "Decided", "Left"], made.assigned.map((a) => [first(a.name), cell(a.items), cell(a.decided), cell(a.items - a.decided)]))]
        : null,
      made.pairs.length
        ? [el("h3", null, "Agreement"), table(["Pair", "Items", "Agreed", "Cohen’s κ"], made.pairs.map((p) => [first(p.reviewers.join(" and ")), cell(p.items), cell(percent(p.agreed)), kappa(p)]))]
        : null,
      made.by_reason.length
        ? [el("h3", null, "Agreement on each reason"), table(["Reason", "One gave it", "Both", "Agreed", "Cohen’s κ"], made.by_reason.map((r) => [first(session.reasons[r.reason] ?? r.reason), cell(r.pairs), cell(r.both), cell(percent(r.agreed)), kappa(r)]))]
        : null,
      Object.keys(made.reasons).length
        ? [el("h3", null, "Why rejected"), el("ul", { class: "why" }, Object.entries(made.reasons).map(([r, n]) => el("li", null, el("b", null, String(n)), ` ${session.reasons[r] ?? r}`)))]
        : null,
      made.faults.length ? [el("h3", null, "Invalid lines"), el("ul", { class: "faults" }, made.faults.map((f) => el("li", null, f)))] : null,
      close(),
    ];
  }

  function keys(sample, guided) {
    const listed = [
      ["A", "accept"],
      ["R", "reject, then a number for the reason"],
      sample ? null : ["E", "edit the text"],
      ["U", "undo the last decision"],
      ["→ or J", "next"],
      ["← or K", "previous"],
      sample ? ["Space or L", "play and pause; at its end, the next clip"] : null,
      sample ? ["< or >", "slower, faster"] : null,
      ["F", "the list, and back"],
      ["/", "search"],
      guided ? ["G", "guidelines"] : null,
      ["P", "progress and agreement"],
      ["Esc", "leave a field, close this"],
    ].filter(Boolean);
    return [el("h2", { tabindex: -1, autofocus: true }, "Keys"), el("dl", { class: "keys" }, listed.map(([k, does]) => [el("dt", null, k.split(" or ").map((x, i) => [i ? " or " : null, el("kbd", null, x)]).flat().filter(Boolean)), el("dd", null, does)])), close()];
  }

  /** Show nodes in a dialog of the page. */
  function open(dialog, nodes) {
    dialog.replaceChildren(...nodes.flat(3).filter(Boolean));
    if (!dialog.open) dialog.showModal();
  }

  return { progress, keys, open, close };
})();

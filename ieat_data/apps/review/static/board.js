// The list at work: it loads pages, opens items, and decides on many of them with one undo.
"use strict";

/** `page`: what the window gives: state, asked() (the filters), guarded, toast, remember, open(row). */
const Board = (page) => {
  const $ = (id) => document.getElementById(id);
  const { state } = page;
  let found = null;
  let asking = 0;

  async function load(at) {
    const mine = (asking += 1);
    const got = await Api.get("/api/list", { ...page.asked(), page: at ?? state.page });
    if (mine !== asking || state.view !== "list") return; // another search has begun, or the list was left
    found = got;
    state.page = got.page;
    $("stage").querySelector(".list-rows")?.remove();
    $("stage").append(List.rows(got, state.q, state.session.reasons, page.open, (to) => page.guarded(() => go(to))));
    bar();
    page.remember();
  }

  async function go(to) {
    await load(to);
    window.scrollTo(0, 0);
  }

  /** Put the fields there, then the rows. */
  async function show() {
    state.view = "list";
    $("stage").className = "of-list";
    $("stage").replaceChildren(List.tools(state.session, state.q, state.reason, search));
    $("deck").hidden = false;
    await load();
  }

  function search(q, reason) {
    Object.assign(state, { q, reason, page: 0 });
    load(0).catch((error) => page.toast(`Not done: ${error.message}.`, false, true));
  }

  /** What a decision on all of them would decide. */
  function bar() {
    const n = found?.undecided ?? 0;
    const heard = state.session.listen;
    const rest = found && found.items !== n ? `, ${found.items - n} decided by you stay as they are` : "";
    $("many-words").textContent = n ? `${n} to decide${rest}${heard ? "; accepting needs listening" : ""}` : found?.items ? "You have decided on all of these." : "";
    for (const [id, word] of [["reject-many", "Reject"], ["accept-many", "Accept"]]) {
      $(id).textContent = n > 1 ? `${word} all ${n}` : word;
      $(id).hidden = !n || (heard && id === "accept-many");
    }
  }

  /** Decide on all that the list holds and the reviewer has not decided on. */
  function many(decision, more) {
    const n = found?.undecided ?? 0;
    if (!n) return;
    const send = (confirmed) => page.guarded(() => decideAll(decision, more, confirmed));
    if (n <= state.session.unasked) return void send(0);
    const why = more?.reason ? state.session.reasons[more.reason] : "";
    Sheets.open($("confirm"), List.confirmation(n, decision, why, () => send(n)));
  }

  async function decideAll(decision, more, confirmed) {
    const { reviewer, ...filter } = page.asked();
    const made = await Api.post("/api/bulk", { reviewer, filter, digest: found.digest, decision, confirmed, ...more });
    state.undo.push(made.batch);
    page.closeReasons();
    await page.count();
    await load();
    page.toast(`You ${decision}ed ${made.decided === 1 ? "1 item" : `${made.decided} items`}.`, true);
  }

  return { show, load, many };
};

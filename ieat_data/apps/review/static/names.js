// Who reviews. A name belongs to one token: the browser that took the name keeps it; another one must be given it.
"use strict";

const Names = (() => {
  const { el } = window.IEAT;
  const kept = (name) => `ieat-name:${name}`;
  const token = (name) => localStorage.getItem(kept(name));

  /** Take a name, with the token of an earlier time, one that was typed in, or a new one. */
  async function take(name, typed) {
    const given = typed || token(name) || Api.newId();
    await Api.claim(name, given);
    localStorage.setItem(kept(name), given);
  }

  /** Ask for the reviewer's name: one of the team's, where the project names a team. `start(name)` begins, after the name was taken. */
  function gate(session, before, start) {
    const field = el("input", { id: "reviewer", type: "text", maxlength: 60, autocomplete: "name", placeholder: "Your name", value: session.closed ? "" : before });
    const secret = el("input", { id: "name-token", type: "text", maxlength: 32, autocomplete: "off", spellcheck: "false", placeholder: "Its token", "aria-describedby": "name-fault" });
    const fault = el("p", { class: "gate-fault", id: "name-fault", role: "alert" });
    const asking = el("div", { class: "gate-line", hidden: true }, el("label", { class: "visually-hidden", for: "name-token" }, "Token of the name"), secret, el("button", { class: "button primary", type: "submit" }, "Start"));
    let wanted = "";

    async function begin(name, typed) {
      wanted = field.value = name;
      try {
        await take(name, typed);
      } catch (error) {
        if (!error.status) return void (fault.textContent = "The server does not answer. Try again.");
        fault.textContent = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
        if (error.more.name) {
          asking.hidden = false;
          fault.append(" The browser that has it shows the token under the name; ", el("code", null, "ieat review … --release NAME"), " frees a name.");
          secret.focus();
        }
        return;
      }
      start(name);
    }

    const button = (name) =>
      el(
        "button",
        { class: "button", type: "button", onclick: () => begin(name) },
        name,
        session.taken.includes(name) && !token(name) ? el("span", { class: "quiet" }, "taken") : null,
      );
    const free = el("div", { class: "gate-line" }, el("label", { class: "visually-hidden", for: "reviewer" }, "Your name"), field, el("button", { class: "button primary", type: "submit" }, "Start"));
    const form = el(
      "form",
      { class: "gate" },
      el("h1", null, "Who is reviewing?"),
      el("p", { class: "quiet" }, `Your decisions on ${session.name} are kept under this name, in a file of your own.`),
      session.closed ? null : free,
      session.reviewers.length
        ? el("div", { class: session.closed ? "gate-known wide" : "gate-known" }, session.closed ? null : el("span", { class: "quiet" }, "Or continue as"), session.reviewers.map(button))
        : null,
      fault,
      asking,
    );
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      const name = session.closed ? wanted : field.value.replace(/\s+/g, " ").trim();
      if (name) begin(name, asking.hidden ? "" : secret.value.trim());
    });
    return form;
  }

  /** What the reviewer may want to know of their name. `change()` asks for another one. */
  function about(name, change) {
    const shown = el("input", { type: "text", readonly: true, value: token(name) ?? "", "aria-label": "Token of this name", onfocus: (e) => e.target.select() });
    return [
      el("h2", { tabindex: -1, autofocus: true }, name),
      el("p", { class: "quiet" }, "Only this browser decides under this name. To go on in another one, give it the name and this token:"),
      el("div", { class: "token" }, shown),
      el("form", { method: "dialog", class: "sheet-close" }, el("button", { class: "button", type: "submit" }, "Close ", el("kbd", null, "Esc")), " ", el("button", { class: "button", type: "submit", id: "change-name", onclick: change }, "Change the reviewer")),
    ];
  }

  return { take, token, gate, about };
})();

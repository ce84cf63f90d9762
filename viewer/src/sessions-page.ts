/** The list of sessions, and what waits for a person. It changes in place; nobody needs to reload. */

import { ApprovalBoard } from "./approvals";
import { Connection, type ConnectionState } from "./connection";
import { breadcrumb, element, fillBreadcrumb, setText } from "./dom";
import { checkLogin, openEvents, sendAnswer, sendDecision } from "./host-api";
import { parseServerMessage, type Plugin, ProtocolError, type SessionSummary } from "./protocol";
import { QuestionBoard } from "./questions";
import { ago, connectionText, mood, sessionTitle, stateText } from "./summary";

/** How often "3 minutes ago" is brought up to date, in milliseconds. */
const CLOCK_INTERVAL = 15_000;

export function showSessionsPage(root: HTMLElement, events: { loginNeeded(): void; outdated(): void }): void {
  const status = element("p", { class: "connection", role: "status" });
  const open = new CardList("Open sessions");
  const closed = new CardList("Closed sessions");
  const questions = new QuestionBoard({
    answer: sendAnswer,
    // Nobody is typing into anything else here, unless they are.
    asked: (first) => {
      if (document.activeElement === null || document.activeElement === document.body) first?.focus();
    },
  });
  const approvals = new ApprovalBoard({ decide: sendDecision });
  const plugins = new PluginList();
  const empty = element(
    "section",
    { class: "empty", hidden: "" },
    element("h2", {}, "No sessions yet"),
    element("p", {}, "As soon as an agent opens one, it appears here."),
  );
  root.replaceChildren(
    element("header", { class: "masthead" }, brand(), approvals.notify, status),
    element("main", { class: "sessions" }, element("h1", {}, "Sessions"), approvals.section, questions.section, empty, open.section, closed.section, plugins.section),
  );
  document.title = "Sessions · Portcullis";
  let sessionCount = 0;
  let questionCount = 0;
  let approvalCount = 0;

  const showState = (state: ConnectionState): void => {
    status.dataset["state"] = state.name;
    setText(status, connectionText(state));
    if (state.name === "login_needed") events.loginNeeded();
  };
  const connection = new Connection(
    { open: openEvents, checkLogin },
    {
      state: showState,
      message: (data) => {
        try {
          const message = parseServerMessage(typeof data === "string" ? data : "");
          if (message.type === "sessions") {
            open.show(message.sessions.filter((it) => it.closed_reason === null));
            closed.show(message.sessions.filter((it) => it.closed_reason !== null));
            sessionCount = message.sessions.length;
          } else if (message.type === "plugins") {
            plugins.show(message.plugins);
          } else if (message.type === "approvals") {
            approvals.show(message.approvals);
            approvalCount = message.approvals.length;
          } else if (message.type === "questions") {
            questions.show(message.questions);
            questionCount = message.questions.length;
          }
          const waiting = questionCount + approvalCount;
          // Seen also while another tab is in front.
          document.title = `${waiting > 0 ? `(${waiting}) ` : ""}Sessions · Portcullis`;
          empty.hidden = sessionCount + waiting > 0;
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          connection.stop(1002);
          events.outdated();
        }
      },
    },
  );
  window.addEventListener("online", () => connection.connect());
  setInterval(() => {
    open.tick();
    closed.tick();
  }, CLOCK_INTERVAL);
  connection.connect();
}

export function brand(): HTMLElement {
  return element("a", { class: "brand", href: "/" }, element("img", { src: "/favicon.svg", alt: "", width: "28", height: "28" }), "Portcullis");
}

/** The loaded plugins; opened by itself when one of them needs a look. */
class PluginList {
  readonly section: HTMLElement;
  readonly #rows = element("tbody");
  readonly #count = element("span", { class: "count" });
  readonly #details: HTMLDetailsElement;
  #ailing = 0;

  constructor() {
    const head = ["Plugin", "Kind", "SHA-256", "Failures", "Remarks"].map((title) => element("th", { scope: "col" }, title));
    const table = element("table", { class: "plugins" }, element("thead", {}, element("tr", {}, ...head)), this.#rows);
    this.#details = element("details", {}, element("summary", {}, element("h2", {}, "Plugins ", this.#count)), table);
    this.section = element("section", { hidden: "", "aria-label": "Plugins" }, this.#details);
  }

  show(plugins: readonly Plugin[]): void {
    this.#rows.replaceChildren(...plugins.map(pluginRow));
    setText(this.#count, String(plugins.length));
    this.section.hidden = plugins.length === 0;
    const ailing = plugins.filter((it) => it.failures > 0).length;
    // What a person has closed stays closed until something new is wrong.
    if (ailing > this.#ailing) this.#details.open = true;
    this.#ailing = ailing;
  }
}

function pluginRow(plugin: Plugin): HTMLTableRowElement {
  const remarks = plugin.remarks.map((remark) => element("li", {}, remark));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, plugin.name),
    element("td", {}, plugin.kind),
    element("td", {}, element("code", { title: plugin.digest_sha256 }, plugin.digest_sha256.slice(0, 12))),
    element("td", {}, String(plugin.failures)),
    element("td", {}, element("ul", {}, ...remarks)),
  );
}

/** Cards by session id, so that one that changes keeps its place and the keyboard's focus. */
class CardList {
  readonly section: HTMLElement;
  readonly #list = element("ul", { class: "cards" });
  readonly #count = element("span", { class: "count" });
  readonly #cards = new Map<string, Card>();

  constructor(title: string) {
    this.section = element("section", { hidden: "", "aria-label": title }, element("h2", {}, title, " ", this.#count), this.#list);
  }

  show(sessions: readonly SessionSummary[]): void {
    const wanted = new Set(sessions.map((it) => it.session_id));
    for (const [id, card] of this.#cards) {
      if (wanted.has(id)) continue;
      card.item.remove();
      this.#cards.delete(id);
    }
    sessions.forEach((session, place) => {
      const card = this.#cards.get(session.session_id) ?? new Card(session.session_id);
      this.#cards.set(session.session_id, card);
      card.show(session);
      const there = this.#list.children[place];
      if (there !== card.item) this.#list.insertBefore(card.item, there ?? null);
    });
    setText(this.#count, String(sessions.length));
    this.section.hidden = sessions.length === 0;
  }

  tick(): void {
    for (const card of this.#cards.values()) card.tick();
  }
}

class Card {
  readonly item: HTMLLIElement;
  readonly #label: HTMLAnchorElement;
  readonly #state = element("span", { class: "badge" });
  readonly #host = element("span", { class: "host" });
  readonly #places = breadcrumb();
  readonly #command = element("p", { class: "command" });
  readonly #opened = element("time");
  #openedAt = 0;

  constructor(id: string) {
    this.#label = element("a", { href: `/s/${encodeURIComponent(id)}` });
    this.item = element(
      "li",
      { class: "card" },
      element("div", { class: "card-head" }, element("h3", {}, this.#label), this.#state),
      this.#places,
      this.#command,
      // Two sessions of one profile differ by nothing else that a person could name to the agent.
      element("p", { class: "card-foot" }, element("span", { class: "session-id" }, id), this.#opened, this.#host),
    );
  }

  show(session: SessionSummary): void {
    setText(this.#label, sessionTitle(session));
    setText(this.#state, stateText(session));
    this.#state.dataset["mood"] = mood(session);
    this.#state.title = session.unhealthy_reason ?? "";
    setText(this.#host, session.host);
    fillBreadcrumb(this.#places, session.breadcrumb);
    this.#places.hidden = session.breadcrumb.length === 0;
    const line = session.closed_reason ?? session.running_command;
    setText(this.#command, line ?? "");
    this.#command.title = line ?? "";
    this.#command.hidden = line === null;
    this.#command.dataset["kind"] = session.closed_reason === null ? "running" : "reason";
    this.#openedAt = session.opened_unix_ms;
    this.#opened.dateTime = new Date(session.opened_unix_ms).toISOString();
    this.#opened.title = new Date(session.opened_unix_ms).toLocaleString();
    this.tick();
  }

  tick(): void {
    setText(this.#opened, `opened ${ago(this.#openedAt, Date.now())}`);
  }
}

/** The list of sessions, and what waits for a person. It changes in place; nobody needs to reload. */

import { ApprovalBoard } from "./approvals";
import { Connection, type ConnectionState } from "./connection";
import { breadcrumb, button, element, fillBreadcrumb, setText } from "./dom";
import { checkLogin, openEvents, sendAnswer, sendDecision } from "./host-api";
import { Notifier } from "./notifier";
import { PastSessions } from "./past-sessions";
import { parseServerMessage, type Plugin, ProtocolError, type SessionSummary } from "./protocol";
import { QuestionBoard } from "./questions";
import { recordAlarm, showRecordAlarm } from "./record-alarm";
import { RecordSearch } from "./record-search";
import { type Caller, roleBadge } from "./roles";
import { ago, connectionText, mood, sessionTitle, stateText } from "./summary";
import { turnTheme } from "./theme";
import { durationText, inputText } from "./words";

/** How often running times and "3 minutes ago" are brought up to date, in milliseconds. */
const CLOCK_INTERVAL = 1_000;

export function showSessionsPage(root: HTMLElement, caller: Caller, events: { loginNeeded(): void; outdated(): void }): void {
  const status = element("p", { class: "connection", role: "status" });
  const open = new CardList("Open sessions");
  const closed = new CardList("Closed sessions");
  const notifier = new Notifier();
  const questions = new QuestionBoard({
    answer: sendAnswer,
    // Nobody is typing into anything else here, unless they are.
    asked: (first) => {
      if (document.activeElement === null || document.activeElement === document.body) first?.focus();
    },
  }, notifier);
  const approvals = new ApprovalBoard({ decide: sendDecision }, notifier);
  const plugins = new PluginList();
  const past = new PastSessions();
  const search = new RecordSearch();
  const theme = button("Theme", "Theme: light, dark, or as the system has it", () => turnTheme());
  theme.classList.add("theme");
  const empty = element(
    "section",
    { class: "empty", hidden: "" },
    element("h2", {}, "No sessions yet"),
    element("p", {}, "As soon as an agent opens one, it appears here."),
  );
  root.replaceChildren(
    element("header", { class: "masthead" }, brand(), roleBadge(caller), notifier.button, status, theme),
    element("main", { class: "sessions" }, element("h1", {}, "Sessions"), approvals.section, questions.section, empty, open.section, closed.section, search.section, past.section, plugins.section),
  );
  document.title = "Sessions · Portcullis";
  let sessionCount = 0;
  /** Which sessions there are, and which are over. */
  let known: string | undefined;
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
            const seen = message.sessions.map((it) => `${it.session_id} ${it.closed_reason ?? ""}`).join("\n");
            if (seen !== known) void past.refresh();
            known = seen;
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
  readonly #line = element("span", { class: "command-line" });
  readonly #since = element("span", { class: "since" });
  readonly #alarm = recordAlarm();
  readonly #command = element("p", { class: "command" }, this.#line, this.#since);
  readonly #opened = element("time");
  readonly #active = element("time");
  readonly #input = element("span", { class: "holder" });
  #session: SessionSummary | undefined;

  constructor(id: string) {
    this.#label = element("a", { href: `/s/${encodeURIComponent(id)}` });
    this.item = element(
      "li",
      { class: "card" },
      element("div", { class: "card-head" }, element("h3", {}, this.#label), this.#state),
      this.#alarm,
      this.#places,
      this.#command,
      // Two sessions of one profile differ by nothing else that a person could name to the agent.
      element("p", { class: "card-foot" }, element("span", { class: "session-id" }, id), this.#opened, this.#host, this.#input, this.#active),
    );
  }

  show(session: SessionSummary): void {
    setText(this.#label, sessionTitle(session));
    setText(this.#state, stateText(session));
    this.#state.dataset["mood"] = mood(session);
    this.#state.title = session.unhealthy_reason ?? "";
    showRecordAlarm(this.#alarm, session);
    setText(this.#host, session.host);
    fillBreadcrumb(this.#places, session.breadcrumb);
    this.#places.hidden = session.breadcrumb.length === 0;
    const line = session.closed_reason ?? session.running_command;
    setText(this.#line, line ?? "");
    this.#command.title = line ?? "";
    this.#command.hidden = line === null;
    this.#command.dataset["kind"] = session.closed_reason === null ? "running" : "reason";
    this.#session = session;
    setText(this.#input, inputText(session.input));
    this.#input.dataset["holder"] = session.input.holder ?? "none";
    this.#input.hidden = session.closed_reason !== null;
    this.#active.dateTime = new Date(session.last_activity_unix_ms).toISOString();
    this.#opened.dateTime = new Date(session.opened_unix_ms).toISOString();
    this.#opened.title = new Date(session.opened_unix_ms).toLocaleString();
    this.tick();
  }

  tick(): void {
    const session = this.#session;
    if (session === undefined) return;
    const now = Date.now();
    setText(this.#opened, `opened ${ago(session.opened_unix_ms, now)}`);
    setText(this.#active, `active ${ago(session.last_activity_unix_ms, now)}`);
    const since = session.closed_reason === null ? session.running_since_unix_ms : null;
    setText(this.#since, since === null ? "" : durationText(Math.max(0, now - since)));
  }
}

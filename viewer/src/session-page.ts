/** One session: its live terminal, where it stands, and how the connection to it is. */

import { ApprovalBoard } from "./approvals";
import { Connection, type ConnectionState } from "./connection";
import { breadcrumb, button, element, fillBreadcrumb, setText } from "./dom";
import { checkLogin, openEvents, openTerminal, sendAnswer, sendDecision } from "./host-api";
import {
  parseOutputFrame,
  parseServerMessage,
  PROTOCOL_VERSION,
  ProtocolError,
  type ServerMessage,
  type SessionSummary,
  typedFrames,
  writeClientMessage,
} from "./protocol";
import { QuestionBoard } from "./questions";
import { ScreenFeed } from "./screen-feed";
import { brand } from "./sessions-page";
import { connectionText, mood, sessionTitle, stateText } from "./summary";
import { TerminalView } from "./terminal-view";

/** How long a message to the person stays, in milliseconds. */
const NOTE_TIME = 8_000;
/** How often the page asks whether the host is there, and how long it waits for the answer. */
const PING_INTERVAL = 15_000;
const PONG_TIME = 10_000;

export interface PageEvents {
  loginNeeded(): void;
  outdated(): void;
}

export class SessionPage {
  readonly #label = element("h1");
  readonly #places = breadcrumb();
  readonly #badge = element("span", { class: "badge" });
  readonly #status = element("p", { class: "connection", role: "status" });
  readonly #command = element("span", { class: "running" });
  readonly #size = element("span", { class: "size" });
  readonly #note = element("p", { class: "note", role: "status", "aria-live": "polite" });
  readonly #frame = element("div", { class: "terminal-frame", role: "region", "aria-label": "Terminal. Control and F6 leave it." });
  /** Never takes the keyboard: what is meant for the terminal must not end up in an answer. */
  readonly #questions = new QuestionBoard({ answer: sendAnswer, asked: () => {} });
  readonly #approvals: ApprovalBoard;
  readonly #terminal: TerminalView;
  readonly #connection: Connection;
  readonly #feed: ScreenFeed;
  #instance: string | undefined;
  /** Keys go out only between an `attached` and the end of its socket. */
  #attached = false;
  #connectionState: ConnectionState = { name: "connecting" };
  #closed = false;
  #noteTimer: ReturnType<typeof setTimeout> | undefined;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #pingId = 0;
  /** Approvals that wait. */
  #waiting = 0;

  constructor(root: HTMLElement, sessionId: string, private readonly events: PageEvents) {
    this.#approvals = new ApprovalBoard({ decide: sendDecision, sessionId });
    const tools = this.#tools();
    const name = element("span", { class: "session-id" }, sessionId);
    const footer = element("footer", { class: "bar" }, this.#command, this.#note, name, this.#size, tools);
    root.replaceChildren(
      element("header", { class: "masthead" }, brand(), element("div", { class: "place" }, this.#label, this.#places), this.#badge, this.#approvals.notify, this.#status),
      this.#approvals.section,
      this.#questions.section,
      element("main", { class: "session" }, this.#frame, footer),
    );
    setText(this.#label, sessionId);
    document.title = `${sessionId} · Portcullis`;
    this.#terminal = new TerminalView(this.#frame, {
      typed: (bytes) => this.#type(bytes),
      link: (address) => (address === undefined ? this.#say("") : this.#say(`${address} (Control and click to open)`)),
    });
    this.#feed = new ScreenFeed(this.#terminal, {
      acknowledge: (offset) => this.#connection.send(writeClientMessage({ type: "ack", offset })),
    });
    this.#connection = new Connection(
      { open: () => openTerminal(sessionId), checkLogin },
      { state: (state) => this.#showState(state), message: (data) => this.#receive(data) },
    );
    this.#listenToPage(tools);
    this.#connection.connect();
    this.#listenToQuestions();
    this.#terminal.focus();
  }

  #tools(): HTMLElement {
    const press = (data: () => string) => () => {
      this.#terminal.press(data());
      this.#terminal.focus();
    };
    const keys = element(
      "div",
      { class: "keys", role: "group", "aria-label": "Keys" },
      button("Esc", "Escape", press(() => "\x1b")),
      button("Tab", "Tab", press(() => "\t")),
      button("^C", "Control C, interrupt", press(() => "\x03")),
      button("^D", "Control D, end of input", press(() => "\x04")),
      button("←", "Left", press(() => this.#terminal.arrow("D"))),
      button("↑", "Up", press(() => this.#terminal.arrow("A"))),
      button("↓", "Down", press(() => this.#terminal.arrow("B"))),
      button("→", "Right", press(() => this.#terminal.arrow("C"))),
    );
    const reader = button("Reader", "Screen reader support", () => {
      this.#terminal.screenReader = !this.#terminal.screenReader;
      reader.ariaPressed = String(this.#terminal.screenReader);
    });
    reader.ariaPressed = String(localStorage.getItem("screen-reader") === "on");
    const view = element(
      "div",
      { class: "view", role: "group", "aria-label": "View" },
      button("A−", "Smaller letters", () => this.#terminal.zoom(-1)),
      button("Fit", "Show the whole terminal", () => this.#terminal.fit()),
      button("A+", "Larger letters", () => this.#terminal.zoom(1)),
      reader,
    );
    return element("div", { class: "tools" }, keys, view);
  }

  #listenToPage(tools: HTMLElement): void {
    window.addEventListener("online", () => this.#connection.connect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#connection.connect();
    });
    // The terminal keeps Tab for itself, so the keyboard needs another way out.
    this.#frame.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "F6" || !event.ctrlKey) return;
        event.preventDefault();
        event.stopPropagation();
        // What waits for a decision comes first.
        const waiting = this.#approvals.first;
        if (waiting !== undefined) return waiting.focus();
        // Which groups of buttons are shown depends on the pointer.
        [...tools.querySelectorAll("button")].find((it) => it.checkVisibility())?.focus();
      },
      { capture: true },
    );
    setInterval(() => this.#ping(), PING_INTERVAL);
  }

  /** Other sessions may be opened meanwhile; what that asks is on a socket of its own. */
  #listenToQuestions(): void {
    const connection = new Connection(
      { open: openEvents, checkLogin },
      {
        // The terminal's socket tells how the connection is.
        state: () => {},
        message: (data) => {
          try {
            const message = parseServerMessage(typeof data === "string" ? data : "");
            if (message.type === "questions") this.#questions.show(message.questions);
            if (message.type === "approvals") {
              this.#approvals.show(message.approvals);
              this.#waiting = message.approvals.length;
              this.#showTitle();
            }
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error;
            connection.stop(1002);
            this.events.outdated();
          }
        },
      },
    );
    window.addEventListener("online", () => connection.connect());
    connection.connect();
  }

  #type(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#closed) return;
    // Nothing typed is kept for later: after a pause it would hit a screen nobody has looked at.
    const sent = this.#attached && typedFrames(bytes).every((frame) => this.#connection.send(frame));
    if (!sent) this.#say("Not connected: what you typed was not sent.");
  }

  #ping(): void {
    this.#pingId += 1;
    if (!this.#connection.send(writeClientMessage({ type: "ping", id: this.#pingId }))) return;
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#connection.restart(), PONG_TIME);
  }

  #showState(state: ConnectionState): void {
    this.#connectionState = state;
    if (state.name !== "live") {
      clearTimeout(this.#pongTimer);
      this.#attached = false;
      this.#feed.detached();
    }
    const over = this.#closed;
    this.#status.dataset["state"] = over ? "over" : state.name;
    setText(this.#status, over ? "Session closed" : connectionText(state));
    this.#frame.classList.toggle("stale", !over && (state.name === "waiting" || state.name === "ended"));
    if (state.name === "login_needed") this.events.loginNeeded();
  }

  #receive(data: string | ArrayBuffer): void {
    try {
      if (typeof data === "string") {
        this.#obey(parseServerMessage(data));
      } else if (!this.#feed.output(parseOutputFrame(data))) {
        this.#connection.restart();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#connection.stop(1002);
      this.events.outdated();
    }
  }

  #obey(message: ServerMessage): void {
    switch (message.type) {
      case "attached":
        if (message.protocol !== PROTOCOL_VERSION) throw new ProtocolError("another version of the protocol");
        if (this.#instance !== undefined && this.#instance !== message.instance_id) {
          this.#say("Portcullis was restarted. This is a session of the new launch.");
        } else if (message.cause === "lagged") {
          this.#say("Output came faster than it could be drawn; some was passed over.");
        }
        this.#instance = message.instance_id;
        this.#attached = true;
        this.#showSession(message.session);
        this.#showSize(message.columns, message.rows);
        this.#feed.attached(message);
        break;
      case "resized":
        this.#showSize(message.columns, message.rows);
        this.#feed.resized(message.columns, message.rows);
        break;
      case "summary":
        this.#showSession(message.session);
        break;
      case "closed":
        this.#close(message.reason);
        break;
      case "error":
        this.#say(message.message);
        if (message.code === "unknown_session") setText(this.#label, "No such session");
        break;
      case "pong":
        if (message.id === this.#pingId) clearTimeout(this.#pongTimer);
        break;
      case "sessions":
      case "questions":
      case "approvals":
        throw new ProtocolError("a list on a terminal's socket");
    }
  }

  #showSession(session: SessionSummary): void {
    const label = sessionTitle(session);
    setText(this.#label, label);
    this.#label.title = `${session.session_id} on ${session.host}`;
    this.#showTitle();
    fillBreadcrumb(this.#places, session.breadcrumb);
    setText(this.#badge, stateText(session));
    this.#badge.dataset["mood"] = mood(session);
    this.#badge.title = session.unhealthy_reason ?? "";
    setText(this.#command, session.running_command ?? "");
    this.#command.title = session.running_command ?? "";
    if (session.closed_reason !== null) this.#close(session.closed_reason);
  }

  /** Seen also while another tab is in front. */
  #showTitle(): void {
    document.title = `${this.#waiting > 0 ? `(${this.#waiting}) ` : ""}${this.#label.textContent} · Portcullis`;
  }

  #showSize(columns: number, rows: number): void {
    setText(this.#size, `${columns}×${rows}`);
    this.#size.title = `${columns} columns, ${rows} rows`;
  }

  #close(reason: string): void {
    this.#closed = true;
    this.#terminal.readOnly = true;
    setText(this.#badge, "closed");
    this.#badge.dataset["mood"] = "over" satisfies ReturnType<typeof mood>;
    setText(this.#command, "");
    this.#showState(this.#connectionState);
    this.#say(`This session is closed: ${reason}`, { stay: true });
  }

  #say(text: string, options: { stay?: boolean } = {}): void {
    if (this.#closed && options.stay !== true) return;
    clearTimeout(this.#noteTimer);
    setText(this.#note, text);
    if (options.stay !== true && text !== "") this.#noteTimer = setTimeout(() => setText(this.#note, ""), NOTE_TIME);
  }
}

/** One session: its live terminal, where it stands, and how the connection to it is. */

import { ApprovalBoard } from "./approvals";
import { Connection, type ConnectionState } from "./connection";
import { breadcrumb, button, element, fillBreadcrumb, setText } from "./dom";
import { ControlBar } from "./control-bar";
import { checkLogin, openEvents, openTerminal, sendAnswer, sendControl, sendDecision, sendSecret } from "./host-api";
import { Notifier } from "./notifier";
import {
  type Command,
  parseOutputFrame,
  parseServerMessage,
  PROTOCOL_VERSION,
  ProtocolError,
  type Role,
  type ServerMessage,
  type SessionSummary,
  typedFrames,
  writeClientMessage,
} from "./protocol";
import { QuestionBoard } from "./questions";
import { recordAlarm, showRecordAlarm } from "./record-alarm";
import { type Caller, mayDrive, roleBadge } from "./roles";
import { ScreenFeed } from "./screen-feed";
import { brand } from "./sessions-page";
import { connectionText, mood, sessionTitle, stateText } from "./summary";
import { SearchBox } from "./search-box";
import { SecretField } from "./secret-field";
import { TerminalView } from "./terminal-view";
import { turnTheme } from "./theme";
import { Timeline } from "./timeline";

/** How long a message to the person stays, in milliseconds. */
const NOTE_TIME = 8_000;
/** How often the page asks whether the host is there, and how long it waits for the answer. */
const PING_INTERVAL = 15_000;
const PONG_TIME = 10_000;
/** As in the style sheet: the commands lie over the terminal there. */
const NARROW = "(width < 56rem)";
const COMMANDS_KEY = "commands";

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
  readonly #alarm = recordAlarm();
  readonly #frame = element("div", { class: "terminal-frame", role: "region", "aria-label": "Terminal. Control and F6 leave it." });
  readonly #notifier = new Notifier();
  /** Never takes the keyboard: what is meant for the terminal must not end up in an answer. */
  readonly #questions = new QuestionBoard({ answer: sendAnswer, asked: () => {} }, this.#notifier);
  readonly #approvals: ApprovalBoard;
  readonly #terminal: TerminalView;
  readonly #control: ControlBar;
  readonly #secret: SecretField;
  readonly #timeline = new Timeline({ jump: (command) => this.#jump(command) });
  readonly #search: SearchBox;
  private readonly role: Role;
  readonly #connection: Connection;
  readonly #feed: ScreenFeed;
  #instance: string | undefined;
  /** Keys go out only between an `attached` and the end of its socket. */
  #attached = false;
  /** Nothing a person presses is sent: their link is for watching, or they chose to. */
  #onlyWatches: boolean;
  #connectionState: ConnectionState = { name: "connecting" };
  #closed = false;
  #noteTimer: ReturnType<typeof setTimeout> | undefined;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;
  #pingId = 0;
  /** Commands whose place in the output is known or awaited. */
  readonly #marked = new Set<string>();
  /** Approvals that wait. */
  #waiting = 0;

  constructor(root: HTMLElement, sessionId: string, caller: Caller, private readonly events: PageEvents) {
    const { role } = caller;
    this.role = role;
    this.#onlyWatches = !mayDrive(role);
    this.#approvals = new ApprovalBoard({ decide: sendDecision, sessionId }, this.#notifier);
    this.#control = new ControlBar(role, {
      control: (request) => sendControl(sessionId, request),
      say: (text) => this.#say(text),
      observe: (observes) => this.#watchOnly(observes),
    });
    this.#secret = new SecretField({ send: (text) => sendSecret(sessionId, text), sent: () => this.#terminal.focus() });
    this.#search = new SearchBox({
      find: (text, forward) => this.#terminal.find(text, forward),
      end: () => {
        this.#terminal.endSearch();
        this.#terminal.focus();
      },
    });
    const tools = this.#tools();
    const name = element("span", { class: "session-id" }, sessionId);
    const footer = element("footer", { class: "bar" }, this.#command, this.#note, name, this.#size, tools);
    root.replaceChildren(
      element("header", { class: "masthead" }, brand(), element("div", { class: "place" }, this.#label, this.#places), this.#badge, roleBadge(caller), this.#notifier.button, this.#status),
      this.#alarm,
      this.#approvals.section,
      this.#questions.section,
      element("main", { class: "session" }, this.#control.element, this.#secret.form, this.#search.element, element("div", { class: "stage" }, this.#frame, this.#timeline.section), footer),
    );
    setText(this.#label, sessionId);
    document.title = `${sessionId} · Portcullis`;
    this.#terminal = new TerminalView(this.#frame, {
      typed: (bytes) => this.#type(bytes),
      search: () => this.#search.open(),
      link: (address) => (address === undefined ? this.#say("") : this.#say(`${address} (Control and click to open)`)),
    });
    this.#feed = new ScreenFeed(this.#terminal, {
      acknowledge: (offset) => this.#connection.send(writeClientMessage({ type: "ack", offset })),
    });
    this.#connection = new Connection(
      { open: () => openTerminal(sessionId, this.#seen()), checkLogin },
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
    const reader = button("Reader", "Reader: screen reader support", () => {
      this.#terminal.screenReader = !this.#terminal.screenReader;
      reader.ariaPressed = String(this.#terminal.screenReader);
    });
    reader.ariaPressed = String(localStorage.getItem("screen-reader") === "on");
    const theme = button("Theme", "Theme: light, dark, or as the system has it", () => this.#say(`Theme: ${turnTheme()}`));
    const copy = button("Copy", "Copy what is selected: Control, Shift and C", () => void this.#copy());
    const search = button("Find", "Find in the output: Control, Shift and F", () => this.#search.open());
    const end = button("⤓", "Go to the newest output", () => this.#terminal.showEnd());
    const commands = button("Commands", "Commands: show or hide the list", () => this.#toggleTimeline(commands));
    commands.classList.add("toggle-timeline");
    this.#timeline.section.hidden = localStorage.getItem(COMMANDS_KEY) === "off";
    commands.ariaPressed = String(!this.#timeline.section.hidden && !matchMedia(NARROW).matches);
    const view = element(
      "div",
      { class: "view", role: "group", "aria-label": "View" },
      button("A−", "A−: smaller letters", () => this.#terminal.zoom(-1)),
      button("Fit", "Fit the whole terminal into view", () => this.#terminal.fit()),
      button("A+", "A+: larger letters", () => this.#terminal.zoom(1)),
      reader,
      theme,
      copy,
      search,
      end,
      commands,
    );
    return element("div", { class: "tools" }, keys, view);
  }

  #toggleTimeline(toggle: HTMLButtonElement): void {
    const { section } = this.#timeline;
    // On a narrow page it lies over the terminal and is out of the way at first.
    const shown = section.checkVisibility();
    section.classList.toggle("shown", !shown);
    section.hidden = shown;
    localStorage.setItem(COMMANDS_KEY, shown ? "off" : "on");
    toggle.ariaPressed = String(!shown);
  }

  async #copy(): Promise<void> {
    const copied = await this.#terminal.copy();
    this.#say(copied ? "Copied." : "Select something in the terminal first.");
  }

  #watchOnly(observes: boolean): void {
    this.#onlyWatches = observes || !mayDrive(this.role);
    this.#say(this.#onlyWatches ? "You only watch: what you press is not sent." : "");
  }

  /** Where this page has left off, when its socket was lost. */
  #seen(): { instance: string; offset: number } | undefined {
    const offset = this.#feed.position;
    return this.#instance === undefined || offset === undefined ? undefined : { instance: this.#instance, offset };
  }

  #jump(command: Command): void {
    if (this.#terminal.showMark(command.id)) {
      this.#timeline.current = command.id;
    } else {
      this.#say("That is no longer among the output this page keeps.");
    }
  }

  #noteCommand(command: Command): void {
    this.#timeline.show(command);
    if (this.#marked.has(command.id)) return;
    this.#marked.add(command.id);
    this.#feed.mark(command.offset, () => this.#terminal.mark(command.id));
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
    if (this.#onlyWatches) return this.#say(mayDrive(this.role) ? "You only watch; switch that off to type." : "This link is for watching; nothing was typed.");
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
        if (message.cause !== "resumed") this.#marked.clear();
        this.#feed.attached(message);
        break;
      case "resized":
        this.#showSize(message.columns, message.rows);
        this.#feed.resized(message.columns, message.rows);
        break;
      case "summary":
        this.#showSession(message.session);
        break;
      case "timeline":
        this.#timeline.showAll(message.commands);
        for (const command of message.commands) this.#noteCommand(command);
        break;
      case "command":
        this.#noteCommand(message.command);
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
    this.#control.show(session);
    showRecordAlarm(this.#alarm, session);
    this.#secret.asked = session.asks_for_secret && mayDrive(this.role);
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

/**
 * The commands of a session, oldest first: who ran what, how it ended, how long it took and what the policies said.
 *
 * A click leads to the command's place in the terminal. All text is shown as text.
 */

import { element, setText } from "./dom";
import { parts } from "./escapes";
import type { Command } from "./protocol";
import { actorText, commandMood, durationText, outcomeText, verdictText } from "./words";

/** How often running commands' times are brought up to date, in milliseconds. */
const CLOCK_INTERVAL = 1_000;
/** More entries than this are not kept in the page. */
const MOST_ENTRIES = 500;
/** How close to its end the list has to be for it to follow new entries, in pixels. */
const NEAR_END = 48;

export interface TimelineEvents {
  /** A person wants to see where the command began. */
  jump(command: Command): void;
}

export class Timeline {
  readonly section: HTMLElement;
  readonly #list = element("ol", { class: "timeline-list" });
  readonly #empty = element("p", { class: "aside" }, "No commands yet.");
  readonly #entries = new Map<string, Entry>();

  constructor(private readonly events: TimelineEvents) {
    this.section = element("aside", { class: "timeline", "aria-label": "Commands" }, element("h2", {}, "Commands"), this.#empty, this.#list);
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    setInterval(() => {
      for (const entry of this.#entries.values()) entry.tick();
    }, CLOCK_INTERVAL);
  }

  /** All there are; what is shown already is brought up to date. */
  showAll(commands: readonly Command[]): void {
    const wanted = new Set(commands.map((it) => it.id));
    for (const [id, entry] of this.#entries) {
      if (wanted.has(id)) continue;
      entry.item.remove();
      this.#entries.delete(id);
    }
    for (const command of commands) this.show(command);
  }

  show(command: Command): void {
    const known = this.#entries.get(command.id);
    if (known !== undefined) return known.show(command);
    const follows = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < NEAR_END;
    const entry = new Entry(command, (shown) => this.events.jump(shown));
    this.#entries.set(command.id, entry);
    this.#list.append(entry.item);
    this.#empty.hidden = true;
    if (this.#entries.size > MOST_ENTRIES) this.#dropOldest();
    if (follows) this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** The one that is being played or was jumped to. */
  set current(id: string | undefined) {
    for (const [other, entry] of this.#entries) entry.current = other === id;
  }

  #dropOldest(): void {
    const [id, oldest] = this.#entries.entries().next().value ?? [];
    if (id === undefined) return;
    oldest?.item.remove();
    this.#entries.delete(id);
  }

  #move(event: KeyboardEvent): void {
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    buttons[Math.min(Math.max(next, 0), buttons.length - 1)]?.focus();
  }
}

class Entry {
  readonly item: HTMLLIElement;
  readonly #button: HTMLButtonElement;
  readonly #line = element("code", { class: "entry-line" });
  readonly #actor = element("span", { class: "actor" });
  readonly #time = element("time");
  readonly #outcome = element("span", { class: "outcome" });
  readonly #duration = element("span", { class: "duration" });
  readonly #verdict = element("span", { class: "verdict" });
  #command: Command;

  constructor(command: Command, jump: (command: Command) => void) {
    this.#command = command;
    const head = element("span", { class: "entry-head" }, this.#actor, this.#time);
    const foot = element("span", { class: "entry-foot" }, this.#outcome, this.#duration, this.#verdict);
    this.#button = element("button", { type: "button", class: "entry" }, head, this.#line, foot);
    this.#button.addEventListener("click", () => jump(this.#command));
    this.item = element("li", {}, this.#button);
    this.show(command);
  }

  show(command: Command): void {
    this.#command = command;
    this.#button.dataset["actor"] = command.actor;
    this.#button.dataset["mood"] = commandMood(command);
    setText(this.#actor, actorText(command.actor));
    const started = new Date(command.started_unix_ms);
    this.#time.dateTime = started.toISOString();
    setText(this.#time, started.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }));
    this.#line.replaceChildren(...parts(command.text, []).map((part) => (part.escaped ? element("span", { class: "escaped" }, part.text) : part.text)));
    this.#line.title = command.text;
    setText(this.#outcome, outcomeText(command));
    setText(this.#verdict, verdictText(command));
    this.tick();
  }

  tick(): void {
    const { duration_ms, started_unix_ms } = this.#command;
    const busy = commandMood(this.#command) === "busy";
    const ms = duration_ms ?? (busy ? Math.max(0, Date.now() - started_unix_ms) : undefined);
    setText(this.#duration, ms === undefined ? "" : durationText(ms));
  }

  set current(current: boolean) {
    if (current) this.#button.setAttribute("aria-current", "true");
    else this.#button.removeAttribute("aria-current");
  }
}
